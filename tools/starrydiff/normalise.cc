#include "normalise.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "calls.h"
#include "lexer.h"
#include "objects.h"
#include "starrydiff/strings.h"

namespace starry::diff {
namespace {

// From here on a number is taken for an address; below are sizes, offsets and flags.
constexpr uint64_t LOWEST_ADDRESS = 0x400000, LOWEST_FAR_ADDRESS = uint64_t{1} << 40;

uint64_t parse_hex(std::string_view s, size_t& i) {
  uint64_t v = 0;
  for (i += 2; i < s.size(); i++) {
    const char c = s[i];
    if (digit(c))
      v = v * 16 + static_cast<uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      v = v * 16 + static_cast<uint64_t>(c - 'a' + 10);
    else
      break;
  }
  return v;
}

// The end of the string that begins at s[i] == '"': behind the closing quote.
size_t string_end(std::string_view s, size_t i) {
  for (i++; i < s.size() && s[i] != '"'; i++)
    if (s[i] == '\\') i++;
  return std::min(i + 1, s.size());
}

bool natural(const Event& e, std::string_view error) {
  return !e.has(EV_FAILED) || error == "EAGAIN" || error == "ETIMEDOUT" || error == "EINTR" ||
         error.starts_with("ERESTART");
}

class Normaliser {
 public:
  Normaliser(Log& log, Strings& strings, const Normal& normal)
      : log_(log), strings_(strings), normal_(normal), objects_(log, strings) {}

  void run() {
    log_.args.clear();
    log_.refs.clear();
    random_ = normal_.random && asks_for_random(log_, strings_);
    for (Event& e : log_.events) {
      e.first_arg = static_cast<uint32_t>(log_.args.size());
      e.first_ref = static_cast<uint32_t>(log_.refs.size());
      if (e.type == EventType::call)
        call(e);
      else
        other(e);
      e.arg_count = static_cast<uint8_t>(std::min<size_t>(log_.args.size() - e.first_arg, 255));
      e.ref_count = static_cast<uint8_t>(std::min<size_t>(log_.refs.size() - e.first_ref, 255));
    }
  }

 private:
  void other(Event& e) {
    const bool named = e.type == EventType::signal || e.type == EventType::stop;
    e.key = mix(static_cast<uint64_t>(e.type) + 1, named ? e.name : 0);
    add_arg(e, e.args, {}, false);
  }

  void call(Event& e) {
    const std::string_view name = strings_[e.name];
    const CallInfo* info = info_of(e.name, name);
    e.key = mix(0, e.name);
    absolute_ = e.args.find("TIMER_ABSTIME") != std::string_view::npos || name == "futex";
    size_t from = 0;
    int index = 0;
    for (std::string_view args = e.args; from <= args.size() && index < 64 && !args.empty(); index++) {
      const size_t end = argument_end(args, from);
      const std::string_view arg = trim(args.substr(from, end - from));
      const ArgInfo none{};
      const ArgInfo& what = info != nullptr && index < info->arg_count ? info->args[index] : none;
      const bool output = what.output && !e.has(EV_FAILED);
      hash_arg(e, name, info, index, what, arg, output);
      add_arg(e, arg, what, output);
      from = end + 1;
    }
    result(e, name, info);
    flags(e, name);
  }

  // Call tables are asked once per name.
  const CallInfo* info_of(Id id, std::string_view name) {
    if (id >= infos_.size()) infos_.resize(id + 64, {false, nullptr});
    auto& slot = infos_[id];
    if (!slot.first) slot = {true, call_by_name(name)};
    return slot.second;
  }

  // --- Arguments ---

  void add_arg(Event& e, std::string_view arg, const ArgInfo& what, bool output) {
    buffer_.clear();
    bool changed = false;
    const bool hex_is_number = what.kind == "HEX" || what.kind == "ULONG" || what.kind == "LONG";
    for (size_t i = 0; i < arg.size();) {
      const char c = arg[i];
      if (c == '"') {
        const size_t end = string_end(arg, i);
        buffer_.append(arg.substr(i, end - i));
        i = end;
      } else if (c == '/' && i + 1 < arg.size() && arg[i + 1] == '*') {
        const size_t end = arg.find("*/", i + 2);
        i = end == std::string_view::npos ? arg.size() : end + 2;
        while (!buffer_.empty() && buffer_.back() == ' ') buffer_.pop_back();
        changed = true;
      } else if (c == '<' && i > 0 && (digit(arg[i - 1]) || arg[i - 1] == 'D') && drop_annotation(arg, i)) {
        changed = true;
      } else if (digit(c) && (i == 0 || !word(arg[i - 1]))) {
        changed |= number(e, arg, i, what, hex_is_number);
      } else {
        buffer_ += c;
        i++;
      }
    }
    Arg a;
    a.text = strings_.intern(changed ? std::string_view(buffer_) : arg);
    a.output = output;
    log_.args.push_back(a);
  }

  // "</tmp/file>" of -y, "<char 1:3>" and so on: what follows i.
  static bool drop_annotation(std::string_view arg, size_t& i) {
    if (i + 1 >= arg.size() || arg[i + 1] == '<' || arg[i + 1] == ' ' || arg[i + 1] == '=') return false;
    int angle = 1;
    size_t j = i + 1;
    for (; j < arg.size() && angle > 0; j++) {
      if (arg[j] == '<') angle++;
      if (arg[j] == '>' && arg[j - 1] != '-') angle--;
    }
    if (angle != 0) return false;
    i = j;
    return true;
  }

  bool number(Event& e, std::string_view arg, size_t& i, const ArgInfo& what, bool hex_is_number) {
    const size_t begin = i;
    if (arg[i] == '0' && i + 1 < arg.size() && arg[i + 1] == 'x') {
      const uint64_t v = parse_hex(arg, i);
      const bool whole = begin == 0 && i == arg.size();
      bool is_address = v >= (hex_is_number ? LOWEST_FAR_ADDRESS : LOWEST_ADDRESS);
      if (whole && what.pointer && v >= 4096) is_address = true;
      if (!whole && is_address) {
        const std::string_view field = field_before(arg, begin);
        is_address = field != "stack_size" && field != "effective" && field != "permitted" &&
                     field != "inheritable" && field != "f_fsid";
      }
      if (is_address && normal_.addresses) {
        log_.refs.push_back(objects_.address(e.task, v));
        buffer_ += ADDRESS_MARK;
        return true;
      }
      buffer_.append(arg.substr(begin, i - begin));
      return false;
    }
    std::string_view rest = arg.substr(i);
    int64_t v = 0;
    if (!take_number(rest, v)) {  // too long for a number
      while (i < arg.size() && digit(arg[i])) buffer_ += arg[i++];
      return false;
    }
    i = arg.size() - rest.size();
    if (what.kind == "OUT(FD_PAIR)" && v <= INT32_MAX) {
      const std::string_view end = begin > 1 ? " end 1" : " end 0";
      log_.refs.push_back(
          objects_.new_fd(e.task, static_cast<int>(v), std::string(strings_[e.name]) + std::string(end)));
      buffer_ += FD_MARK;
      return true;
    }
    const bool is_fd = (what.fd && begin == 0) || field_before(arg, begin) == "fd";
    if (is_fd && v <= INT32_MAX) {
      log_.refs.push_back(objects_.fd(e.task, static_cast<int>(v)));
      buffer_ += FD_MARK;
      return true;
    }
    buffer_.append(arg.substr(begin, i - begin));
    return false;
  }

  // --- The key ---

  static bool skip_in_key(std::string_view name, const CallInfo* info, int index, const ArgInfo& what) {
    if (what.pid) return true;
    if (name == "futex") return index != 1;
    if ((name.starts_with("epoll_") && name != "epoll_ctl" && name != "epoll_create1") || name == "poll" ||
        name == "ppoll" || name == "select" || name == "pselect6")
      return index > 0;
    if (name == "execve") return index == 2;
    // The length of what is written or read follows from the data.
    return info != nullptr && index > 0 && what.kind == "ULONG" &&
           info->args[index - 1].kind.starts_with("BUF_");
  }

  void hash_arg(Event& e, std::string_view name, const CallInfo* info, int index, const ArgInfo& what,
                std::string_view arg, bool output) {
    const auto place = static_cast<uint64_t>(index) + 2;
    if (output && index == 1 && (name == "read" || name == "pread64") && reads_file(e)) {
      // What a file holds does not depend on the moment: it tells equal reads apart.
      e.key = mix(e.key, mix(place, hash_stable(arg, what)));
      return;
    }
    if (output || what.output || skip_in_key(name, info, index, what)) return;
    if (normal_.scalar_keys) {
      if (what.fd || what.pointer || what.kind.starts_with("SHOW") || arg == "?") return;
      if (what.kind.starts_with("BUF") || arg.find('"') != std::string_view::npos) return;
    } else if (what.fd && !arg.empty() && digit(arg[0])) {
      std::string_view s = arg;
      int64_t v = 0;
      if (take_number(s, v) && v <= INT32_MAX) {
        const Ref r = objects_.fd(e.task, static_cast<int>(v));
        e.key = mix(e.key, mix(place, log_.objects[r.object].label));
      }
      return;
    }
    e.key = mix(e.key, mix(place, hash_stable(arg, what)));
  }

  bool reads_file(const Event& e) const {
    if (normal_.scalar_keys || log_.refs.size() == e.first_ref) return false;
    const std::string_view label = strings_[log_.objects[log_.refs[e.first_ref].object].label];
    return label.starts_with("\"") && !label.starts_with("\"/proc/") && !label.starts_with("\"/sys/") &&
           !label.starts_with("\"/dev/");
  }

  // The argument without what differs between runs.
  uint64_t hash_stable(std::string_view arg, const ArgInfo& what) {
    uint64_t h = 1;
    const bool hex_is_number = what.kind == "HEX";
    for (size_t i = 0; i < arg.size();) {
      const char c = arg[i];
      if (c == '"') {
        const size_t end = string_end(arg, i);
        const size_t stop = random_ && binary(arg.substr(i, end - i)) ? i : std::min(end, i + 24);
        bool number = false;
        for (; i < stop; i++) {
          if (digit(arg[i])) {
            if (!number) h = mix(h, '#');
            number = true;
          } else {
            number = false;
            h = mix(h, static_cast<unsigned char>(arg[i]));
          }
        }
        i = end;
        if (arg.substr(i).starts_with("...")) i += 3;
      } else if (c == '/' && i + 1 < arg.size() && arg[i + 1] == '*') {
        const size_t end = arg.find("*/", i + 2);
        i = end == std::string_view::npos ? arg.size() : end + 2;
      } else if (c == '<' && i > 0 && (digit(arg[i - 1]) || arg[i - 1] == 'D') && drop_annotation(arg, i)) {
      } else if (c == ' ') {
        i++;
      } else if (digit(c) && (i == 0 || !word(arg[i - 1]))) {
        const size_t begin = i;
        if (c == '0' && i + 1 < arg.size() && arg[i + 1] == 'x') {
          const uint64_t v = parse_hex(arg, i);
          h = mix(h, v >= (hex_is_number ? LOWEST_FAR_ADDRESS : LOWEST_ADDRESS) || what.pointer ? 'a' : v);
          continue;
        }
        while (i < arg.size() && digit(arg[i])) i++;
        const std::string_view field = field_before(arg, begin);
        const bool far = i - begin >= 9;  // seconds since 1970, nanoseconds
        const bool masked = field == "fd" || field == "u32" || field == "u64" || inode_field(field) ||
                            field.ends_with("port") || (time_field(field) && (far || absolute_));
        h = mix(h, masked ? '#' : hash_text(arg.substr(begin, i - begin)));
      } else {
        h = mix(h, static_cast<unsigned char>(c));
        i++;
      }
    }
    return h;
  }

  // --- Results ---

  void result(Event& e, std::string_view name, const CallInfo* info) {
    if (!e.has(EV_FAILED) && !e.has(EV_RAW)) {
      // What strace adds in parentheses: "(Timeout)", "([{fd=3, revents=POLLIN}])", "(flags O_RDWR)".
      std::string_view tail = trim(e.ret.substr(parse_result(e.ret).number_end));
      if (tail.starts_with('<')) tail = {};  // -y
      if (tail.ends_with("(INJECTED)")) tail = trim(tail.substr(0, tail.size() - 10));
      if (!tail.empty()) add_arg(e, tail, {}, true);
    }
    if (!e.has(EV_FAILED) && !e.has(EV_UNFINISHED) && !e.ret.empty()) effects(e, name, info);
  }

  void return_ref(Event& e, Ref r) {
    log_.refs.push_back(r);
    e.ret_is_ref = true;
  }

  // What a call that succeeded changes: descriptors, mappings, tasks.
  void effects(Event& e, std::string_view name, const CallInfo* info) {
    const std::string_view ret = info != nullptr ? info->ret : std::string_view();
    if (name == "mmap") {
      const uint64_t length = length_arg(e, 1);
      const bool fixed = e.args.find("MAP_FIXED") != std::string_view::npos;
      // Room that is reserved to be used in part, aligned: by malloc for a thread's heap, by the dynamic
      // linker for a library, by the threads library for a stack. Where in it depends on its address.
      const bool arena = e.args.find("PROT_NONE") != std::string_view::npos ||
                         e.args.find("MAP_NORESERVE") != std::string_view::npos ||
                         e.args.find("MAP_STACK") != std::string_view::npos;
      const Ref r = objects_.map(e.task, static_cast<uint64_t>(e.number), length, fixed, arena);
      if (is_block(e)) {
        Id& label = log_.objects[r.object].label;
        label = strings_.intern("block " + std::string(strings_[label]));
      }
      return return_ref(e, r);
    }
    if (name == "brk") return return_ref(e, objects_.brk(e.task, static_cast<uint64_t>(e.number)));
    if (name == "munmap") return objects_.unmap(e.task, address_arg(e, 0), length_arg(e, 1));
    if (name == "mremap") {
      objects_.unmap(e.task, address_arg(e, 0), length_arg(e, 1));
      return return_ref(
          e, objects_.map(e.task, static_cast<uint64_t>(e.number), length_arg(e, 2), false, false));
    }
    if (name == "close") return objects_.close_fd(e.task, static_cast<int>(length_arg(e, 0)));
    if (name == "execve" || name == "execveat") return objects_.executed(e.task);
    if (name == "dup" || name == "dup2" || name == "dup3" ||
        (name == "fcntl" && e.args.find("F_DUPFD") != std::string_view::npos)) {
      objects_.dup_fd(e.task, static_cast<int>(length_arg(e, 0)), static_cast<int>(e.number));
      return return_ref(e, objects_.fd(e.task, static_cast<int>(e.number)));
    }
    if (makes_task(name)) return born(e);
    if (ret == "FD" && e.number >= 0 && e.number <= INT32_MAX)
      return return_ref(e, objects_.new_fd(e.task, static_cast<int>(e.number), label(e, name)));
    if (ret == "PTR" && static_cast<uint64_t>(e.number) >= LOWEST_ADDRESS && normal_.addresses)
      return return_ref(e, objects_.address(e.task, static_cast<uint64_t>(e.number)));
  }

  std::string_view arg_text(const Event& e, size_t index) const {
    size_t from = 0;
    for (size_t k = 0; from <= e.args.size(); k++) {
      const size_t end = argument_end(e.args, from);
      if (k == index) return trim(e.args.substr(from, end - from));
      from = end + 1;
    }
    return {};
  }
  uint64_t length_arg(const Event& e, size_t index) const {
    std::string_view s = arg_text(e, index);
    int64_t v = 0;
    return take_number(s, v) ? static_cast<uint64_t>(v) : 0;
  }
  uint64_t address_arg(const Event& e, size_t index) const {
    const std::string_view s = arg_text(e, index);
    size_t i = 0;
    return s.starts_with("0x") ? parse_hex(s, i) : 0;
  }

  // What a descriptor is: a path, or the call that made it.
  std::string label(const Event& e, std::string_view name) const {
    if (name == "openat" || name == "open" || name == "creat" || name == "openat2") {
      const size_t open = e.args.find('"');
      if (open != std::string_view::npos) {
        std::string path(e.args.substr(open, string_end(e.args, open) - open));
        for (char& c : path)
          if (digit(c)) c = '#';
        return path;
      }
      return std::string(name);
    }
    if (name == "socket") return "socket " + std::string(arg_text(e, 0)) + " " + std::string(arg_text(e, 1));
    return std::string(name);
  }

  void born(Event& e) {
    for (const uint32_t child : log_.tasks[e.task].children)
      if (log_.tasks[child].tid == e.number) {
        const bool thread = log_.tasks[child].thread;
        objects_.created(e.task, child, thread,
                         thread || e.args.find("CLONE_FILES") != std::string_view::npos);
      }
  }

  // --- Waiting and idling ---

  void flags(Event& e, std::string_view name) {
    const std::string_view error = strings_[e.error];
    // What a signal interrupted is taken up again, by the same call or by restart_syscall.
    if (error.starts_with("ERESTART")) {
      interrupted_[e.task] = e.key;
      e.flags |= EV_IDLE | EV_WAIT;
      return;
    }
    if (name == "restart_syscall") {
      if (const auto it = interrupted_.find(e.task); it != interrupted_.end()) e.key = it->second;
    }
    const bool wait = is_wait(e.name, name);
    if (wait && natural(e, error)) {
      e.flags |= EV_WAIT;
      const bool poll =
          name.find("poll") != std::string_view::npos || name.find("select") != std::string_view::npos;
      if (name != "rt_sigreturn" && !e.has(EV_UNFINISHED) && (!poll || e.number == 0)) e.flags |= EV_IDLE;
    } else if (error == "EAGAIN" && (reads_stream(name) || name.starts_with("accept"))) {
      e.flags |= EV_IDLE | EV_WAIT;
    } else if (((e.number == 0 && name == "wait4") || error == "ECHILD") && !e.has(EV_UNFINISHED) &&
               e.args.find("WNOHANG") != std::string_view::npos) {
      e.flags |= EV_IDLE;  // no child has ended yet, or there is none any more
    } else if (name == "read" && ended_before(e)) {
      e.flags |= EV_IDLE;
    } else if (!e.has(EV_FAILED) && !e.has(EV_UNFINISHED) &&
               (only_asks(name) || (name == "prctl" && e.args.starts_with("PR_GET_NAME")))) {
      e.flags |= EV_IDLE;
    }
    if (!e.has(EV_FAILED) && !e.has(EV_UNFINISHED) && is_heap(e, name)) e.flags |= EV_HEAP;
  }

  // brk that did what was asked; memory as malloc asks for it, and calls within it.
  bool is_heap(const Event& e, std::string_view name) const {
    if (name == "brk") return e.args == "NULL" || e.args == e.ret;
    if (name == "mmap") return is_block(e) || e.args.find("MAP_NORESERVE") != std::string_view::npos;
    if (name != "munmap" && name != "mprotect" && name != "madvise") return false;
    if (log_.refs.size() == e.first_ref) return false;
    const Object& o = log_.objects[log_.refs[e.first_ref].object];
    return o.arena || strings_[o.label].starts_with("block ");
  }

  // A large block of malloc: whether one is free to be used again depends on other threads.
  static bool is_block(const Event& e) {
    return e.args.starts_with("NULL, ") &&
           e.args.ends_with(", PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0");
  }

  // A read at the end of a file that has been there before: it asks whether there is something now.
  bool ended_before(const Event& e) {
    if (e.has(EV_FAILED) || e.has(EV_UNFINISHED) || log_.refs.size() == e.first_ref) return false;
    const uint32_t object = log_.refs[e.first_ref].object;
    if (e.number != 0) {
      ended_.erase(object);
      return false;
    }
    return !ended_.insert(object).second;
  }

  bool is_wait(Id id, std::string_view name) {
    if (id >= waits_.size()) waits_.resize(id + 64, -1);
    if (waits_[id] < 0) waits_[id] = waits(name) ? 1 : 0;
    return waits_[id] == 1;
  }

  Log& log_;
  Strings& strings_;
  const Normal& normal_;
  Objects objects_;
  std::string buffer_;
  bool absolute_ = false;
  bool random_ = false;  // binary data of this program may be random
  std::vector<std::pair<bool, const CallInfo*>> infos_;
  std::vector<int8_t> waits_;
  std::unordered_map<uint32_t, uint64_t> interrupted_;  // task: key of the call
  std::unordered_set<uint32_t> ended_;                  // descriptors whose last read was at the end
};

}  // namespace

bool* Normal::by_name(std::string_view name) {
  if (name == "pids" || name == "tids") return &pids;
  if (name == "addresses") return &addresses;
  if (name == "fds") return &fds;
  if (name == "times") return &times;
  if (name == "random") return &random;
  if (name == "ports") return &ports;
  if (name == "inodes") return &inodes;
  if (name == "folding") return &folding;
  if (name == "timing") return &timing;
  return nullptr;
}

std::string_view field_before(std::string_view text, size_t at) {
  size_t end = at;
  if (end >= 6 && text.substr(end - 6, 6) == "htons(") end -= 6;
  // "loads=[1, 2, 3]"
  size_t list = end;
  while (list > 0 && (digit(text[list - 1]) || text[list - 1] == ',' || text[list - 1] == ' ')) list--;
  if (list > 0 && text[list - 1] == '[') end = list - 1;
  if (end == 0 || text[end - 1] != '=') return {};
  end--;
  size_t begin = end;
  while (begin > 0 && word(text[begin - 1])) begin--;
  return text.substr(begin, end - begin);
}

bool time_field(std::string_view f) {
  static constexpr std::array FIELDS{
      "tv_sec",    "tv_nsec",   "tv_usec",   "st_atime",   "st_mtime",      "st_ctime",      "si_utime",
      "si_stime",  "tms_utime", "tms_stime", "tms_cutime", "tms_cstime",    "uptime",        "loads",
      "freeram",   "bufferram", "sharedram", "procs",      "st_atime_nsec", "st_mtime_nsec", "st_ctime_nsec",
      "freeswap",  "ru_maxrss", "ru_minflt", "ru_majflt",  "ru_inblock",    "ru_oublock",    "ru_nvcsw",
      "ru_nivcsw", "f_bfree",   "f_bavail",  "f_ffree"};
  return std::find(FIELDS.begin(), FIELDS.end(), f) != FIELDS.end();
}

bool inode_field(std::string_view f) {
  return f == "st_ino" || f == "stx_ino" || f == "d_ino" || f == "st_dev" || f == "d_off" ||
         f == "stx_mnt_id" || f == "stx_dev_major" || f == "stx_dev_minor";
}

bool asks_for_random(const Log& log, const Strings& strings) {
  return std::any_of(log.events.begin(), log.events.end(), [&](const Event& e) {
    const std::string_view name = strings[e.name];
    return (name == "getrandom" && !e.args.ends_with(", 8, GRND_NONBLOCK")) ||
           (name.starts_with("open") && e.args.find("/dev/urandom\"") != std::string_view::npos);
  });
}

bool binary(std::string_view quoted) {
  constexpr size_t ENOUGH = 4;
  size_t bytes = 0;
  for (size_t i = 0; i + 1 < quoted.size(); i++) {
    if (quoted[i] != '\\') continue;
    if (digit(quoted[i + 1]) || quoted[i + 1] == 'x') bytes++;
    i++;
  }
  return bytes >= ENOUGH || bytes * 8 > quoted.size();
}

void normalise(Log& log, Strings& strings, const Normal& normal) { Normaliser(log, strings, normal).run(); }

}  // namespace starry::diff
