#include "compare_calls.h"
#include "starrydiff/strings.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace starry::diff {
namespace {

constexpr std::array RETURNS_PID{"getpid", "gettid", "getppid",        "getpgid", "getpgrp",
                                 "getsid", "setsid", "fork",           "vfork",   "clone",
                                 "clone3", "wait4",  "set_tid_address"};

constexpr int64_t MOMENT = 16;  // bytes

// A call that makes a file which was not there: mkstemp(3) opens exclusively, mkdtemp(3) makes folders of its
// own.
bool makes_file(std::string_view name, std::string_view args) {
  if (name.starts_with("open")) return args.find("O_EXCL") != std::string_view::npos;
  return name.starts_with("mkdir") && args.find("0700") != std::string_view::npos;
}

}  // namespace

Id stream_label(const Log& log, const Strings& strings, const Event& e) {
  if (e.type != EventType::call || e.ref_count == 0) return 0;
  const std::string_view name = strings[e.name];
  if (!reads_stream(name) && !writes_stream(name)) return 0;
  const Ref& r = log.refs[e.first_ref];
  if (r.kind != RefKind::fd) return 0;
  const Id label = log.objects[r.object].label;
  const std::string_view text = strings[label];
  const bool packets = text.find("SOCK_DGRAM") != std::string_view::npos ||
                       text.find("SOCK_SEQPACKET") != std::string_view::npos ||
                       text.find("SOCK_RAW") != std::string_view::npos;
  const bool stream = text.starts_with("pipe") || text.starts_with("socket") || text.starts_with("accept");
  return stream && !packets ? label : 0;
}

std::string_view first_descriptor(const Log& log, const Strings& strings, const Event& e) {
  if (e.ref_count == 0 || log.refs[e.first_ref].kind != RefKind::fd) return {};
  return strings[log.objects[log.refs[e.first_ref].object].label];
}

const CallInfo* CallComparer::info_of(Id name) {
  if (name >= infos_.size()) infos_.resize(name + 64, {false, nullptr});
  auto& slot = infos_[name];
  if (!slot.first) slot = {true, call_by_name(strings_[name])};
  return slot.second;
}

CallVerdict CallComparer::other_event(const Event& a, const Event& b, const TaskContext& t) {
  uint32_t ra = a.first_ref, rb = b.first_ref;
  Matcher::Context c;
  c.output = true;
  c.alone = t.alone;
  CallVerdict v;
  v.kind = Kind::result;
  v.same =
      a.arg_count == b.arg_count &&
      (a.arg_count == 0 || matcher_.same_arg(a, a_.args[a.first_arg], ra, b, b_.args[b.first_arg], rb, c));
  // Which child ends first is chance.
  v.timing = t.parallel && normal_.timing && a.type == EventType::signal && strings_[a.name] == "SIGCHLD";
  return v;
}

// Random bytes: getrandom, and reads of the devices.
bool CallComparer::random(std::string_view name, const Event& a) const {
  if (name == "getrandom") return true;
  if (!name.starts_with("read") && name != "pread64" && name != "getsockname") return false;
  const std::string_view label = first_descriptor(a_, strings_, a);
  // A signalfd's structure has process ids in binary form; an address that was bound automatically is chance.
  return label == "\"/dev/urandom\"" || label == "\"/dev/random\"" ||
         label.starts_with("\"/proc/sys/kernel/random/") || label.starts_with("signalfd") ||
         (name == "getsockname" && label.starts_with("socket AF_UNIX"));
}

// Two descriptors that were made in the same way.
bool CallComparer::alike(const Ref& a, const Ref& b) const {
  return a.kind == RefKind::fd && b.kind == RefKind::fd &&
         a_.objects[a.object].label == b_.objects[b.object].label;
}

// A mapping call within reserved room.
bool CallComparer::reserved(const Log& log, const Event& e) const {
  for (uint32_t r = e.first_ref; r < e.first_ref + e.ref_count; r++)
    if (log.refs[r].kind == RefKind::address && log.objects[log.refs[r].object].arena) return true;
  return false;
}

// The length of a message with a process id in it: as many digits longer as the id is.
bool CallComparer::explained_length(int64_t a, int64_t b, const TaskContext& t) const {
  if (!normal_.pids || (!cut_data_ && !matcher_.saw_variable_text())) return false;
  const int64_t digits =
      t.pid_digits != 0 ? t.pid_digits : matcher_.pid_digits(true) - matcher_.pid_digits(false);
  return digits != 0 && (b - a == digits || b - a == 2 * digits);
}

bool CallComparer::same_number(std::string_view name, const Event& a, const Event& b, const TaskContext& t,
                               const CallInfo* info) {
  // A call that changes the program, or goes back to where a signal struck, returns to nobody.
  if (name == "rt_sigreturn" || name == "execve" || name == "execveat") return true;
  if (normal_.times && (name == "time" || name == "times")) return true;
  if (a.ret_is_ref && b.ret_is_ref) {
    const Ref &ra = a_.refs[a.first_ref + a.ref_count - 1], &rb = b_.refs[b.first_ref + b.ref_count - 1];
    const bool memory = info != nullptr && info->memory;
    const bool made = ra.kind == RefKind::fd || name == "mmap" || name == "mremap";
    if (normal_.addresses || ra.kind == RefKind::fd) return matcher_.same_ref(ra, rb, made, t.alone, memory);
  }
  if (a.number == b.number) {
    if (among(RETURNS_PID, name) && a.number > 0) matcher_.pid(a.number, b.number, true);
    return true;
  }
  // A new process has whatever number is free.
  if (normal_.pids && makes_task(name)) return a.number > 0 && b.number > 0;
  if (among(RETURNS_PID, name)) return a.number > 0 && b.number > 0 && matcher_.pid(a.number, b.number, true);
  if (name == "kcmp") return false;
  return writes_stream(name) && explained_length(a.number, b.number, t);
}

CallVerdict CallComparer::compare(const Event& a, const Event& b, const TaskContext& t) {
  if (a.type != EventType::call) return other_event(a, b, t);
  const std::string_view name = strings_[a.name];
  const CallInfo* info = info_of(a.name);
  CallVerdict v;
  const bool by_chance =
      t.parallel && normal_.timing && (a.flags & (EV_WAIT | EV_IDLE)) && (b.flags & (EV_WAIT | EV_IDLE));

  // What was asked for.
  uint32_t ra = a.first_ref, rb = b.first_ref;
  const uint32_t args = std::min(a.arg_count, b.arg_count);
  int different_output = -1;
  const bool both_ok =
      !a.has(EV_FAILED) && !b.has(EV_FAILED) && !a.has(EV_UNFINISHED) && !b.has(EV_UNFINISHED);
  cut_data_ = false;
  for (uint32_t i = 0; i < args; i++) {
    const Arg &x = a_.args[a.first_arg + i], &y = b_.args[b.first_arg + i];
    const ArgInfo* what = info != nullptr && static_cast<int>(i) < info->arg_count ? &info->args[i] : nullptr;
    Matcher::Context c;
    c.call = name;
    c.output = x.output || y.output || (what != nullptr && (what->output || what->kind.starts_with("INOUT")));
    c.pid_kind = what != nullptr && what->pid;
    c.alone = t.alone;
    c.memory_call = info != nullptr && info->memory;
    c.absolute = name == "futex" || name.find("utime") != std::string_view::npos ||
                 a.args.find("TIMER_ABSTIME") != std::string_view::npos;
    c.random = c.output && random(name, a);
    c.random_data = t.random && (!c.output || stream_label(a_, strings_, a) != 0);
    c.makes_file = makes_file(name, a.args);
    c.numbers = c.output && normal_.times && first_descriptor(a_, strings_, a).starts_with("\"/proc/");
    const uint32_t at_a = ra, at_b = rb;
    if (!matcher_.same_arg(a, x, ra, b, y, rb, c)) {
      const std::string_view sx = strings_[x.text], sy = strings_[y.text];
      // What a call that failed or is still waiting would have written is shown as an address.
      if (c.output && !both_ok) continue;
      if (a.has(EV_TORN) || b.has(EV_TORN)) continue;
      if (i > 0 && what != nullptr && what->kind == "ULONG" && info->args[i - 1].kind.starts_with("BUF_IN") &&
          explained_length(std::strtoll(std::string(sx).c_str(), nullptr, 0),
                           std::strtoll(std::string(sy).c_str(), nullptr, 0), t))
        continue;
      if (c.memory_call && normal_.addresses && reserved(a_, a) && reserved(b_, b)) continue;
      // Time left of a loop, and the value that a futex had.
      if (by_chance && (name == "futex" || name.find("poll") != std::string_view::npos)) continue;
      if (name.find("poll") != std::string_view::npos && normal_.times &&
          i == static_cast<uint32_t>(name == "poll" || name == "ppoll" ? 2 : 3) && !sx.starts_with('-') &&
          !sy.starts_with('-') && sx != "0" && sy != "0")
        continue;
      if (c.output) {
        if (different_output < 0) different_output = static_cast<int>(i);
        continue;
      }
      v.same = false;
      v.kind = Kind::argument;
      v.arg = static_cast<int>(i);
      v.timing = by_chance;
      // The thread's number, and the CPU that goes with it.
      if (t.swapped && (name == "sched_setaffinity" || a.args.starts_with("PR_SET_NAME"))) v.timing = true;
      // Which of several threads serves, or is asked to serve, which of several like descriptors is chance.
      if (t.pools && normal_.timing && what != nullptr && what->fd && ra > at_a && rb > at_b &&
          alike(a_.refs[at_a], b_.refs[at_b])) {
        v.timing = true;
        v.note = "a pool of threads shares these descriptors";
      }
      return v;
    }
    if (strings_[x.text].ends_with("...")) cut_data_ = true;
  }

  // What came of it.
  v.timing = by_chance;
  if (a.has(EV_UNFINISHED) || b.has(EV_UNFINISHED)) {
    v.same = a.has(EV_UNFINISHED) == b.has(EV_UNFINISHED);
    v.note = a.has(EV_UNFINISHED) ? "did not return in the first log" : "never returned";
    // A blocked thread is shown without a result when its process ends.
    return v;
  }
  if (a.has(EV_NO_ENTRY) || b.has(EV_NO_ENTRY)) v.timing = true;
  // exit and exit_group have no result.
  if (a.ret.starts_with('?') && b.ret.starts_with('?') && a.error == b.error) return v;
  if (a.has(EV_FAILED) || b.has(EV_FAILED)) {
    v.same = a.error == b.error;
    // What rt_sigreturn seems to return is what the interrupted program had in a register; only a call that
    // was interrupted and not restarted is a result.
    if (name == "rt_sigreturn" && strings_[a.error] != "EINTR" && strings_[b.error] != "EINTR")
      v.timing = t.parallel;
    v.kind = a.has(EV_FAILED) && b.has(EV_FAILED) ? Kind::error : Kind::result;
    return v;
  }
  if (!same_number(name, a, b, t, info)) {
    v.same = false;
    const bool any_child = (name == "wait4" && a.args.starts_with("-1")) || a.args.starts_with("P_ALL");
    if (t.parallel && normal_.timing && (name == "futex" || any_child)) v.timing = true;
    // Files of /proc tell of the moment; a little more or less is no difference.
    if (normal_.times && first_descriptor(a_, strings_, a).starts_with("\"/proc/") &&
        std::abs(a.number - b.number) <= MOMENT)
      v.timing = true;
    return v;
  }
  if (different_output >= 0 || (a.arg_count != b.arg_count && !t.raw && !a.has(EV_TORN) && !b.has(EV_TORN))) {
    v.same = false;
    v.arg = different_output;
    if (name == "wait4" && t.parallel && a.args.starts_with("-1")) v.timing = normal_.timing;
    if (normal_.pids && name.starts_with("clone")) v.same = true;
    if (name == "getcpu" || (!t.alone && name == "sched_getaffinity")) v.timing = normal_.timing;
  }
  return v;
}

}  // namespace starry::diff
