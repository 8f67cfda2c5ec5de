#include "calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <unordered_map>
#include <vector>

#include "starrydiff/strings.h"

namespace starry::diff {
namespace {

struct TableRow {
  int number;
  const char* name;
  const char* classes;
  const char* ret;
  std::initializer_list<const char*> kinds;
  std::initializer_list<const char*> names = {}, types = {};
};

const std::vector<CallInfo>& table() {
  static const std::vector<CallInfo> t = [] {
#define SYSCALL0(nr, name, st, cls, ret) {nr, #name, #cls, #ret, {}, {}},
#define SYSCALL1(nr, name, st, cls, ret, t0, a0, k0) {nr, #name, #cls, #ret, {#k0}, {#a0}, {#t0}},
#define SYSCALL2(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1) \
  {nr, #name, #cls, #ret, {#k0, #k1}, {#a0, #a1}, {#t0, #t1}},
#define SYSCALL3(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2) \
  {nr, #name, #cls, #ret, {#k0, #k1, #k2}, {#a0, #a1, #a2}, {#t0, #t1, #t2}},
#define SYSCALL4(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3) \
  {nr, #name, #cls, #ret, {#k0, #k1, #k2, #k3}, {#a0, #a1, #a2, #a3}, {#t0, #t1, #t2, #t3}},
#define SYSCALL5(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4) \
  {nr, #name, #cls, #ret, {#k0, #k1, #k2, #k3, #k4}, {#a0, #a1, #a2, #a3, #a4}, {#t0, #t1, #t2, #t3, #t4}},
#define SYSCALL6(nr, name, st, cls, ret, t0, a0, k0, t1, a1, k1, t2, a2, k2, t3, a3, k3, t4, a4, k4, t5, a5, \
                 k5)                                                                                         \
  {nr,                                                                                                       \
   #name,                                                                                                    \
   #cls,                                                                                                     \
   #ret,                                                                                                     \
   {#k0, #k1, #k2, #k3, #k4, #k5},                                                                           \
   {#a0, #a1, #a2, #a3, #a4, #a5},                                                                           \
   {#t0, #t1, #t2, #t3, #t4, #t5}},
    static const TableRow rows[] = {
#include "emulated_kernel/abi/syscalls.def"
    };
#include "emulated_kernel/abi/syscall_undef.h"
    std::vector<CallInfo> calls;
    for (const TableRow& r : rows) {
      CallInfo c;
      c.number = r.number;
      c.name = r.name;
      c.ret = r.ret;
      c.memory = std::strstr(r.classes, "C_MEMORY") != nullptr;
      c.arg_count = static_cast<int>(r.kinds.size());
      int i = 0;
      for (const std::string_view kind : r.kinds) {
        ArgInfo& a = c.args[i++];
        a.kind = kind;
        a.name = r.names.begin()[i - 1];
        a.fd = kind == "FD" || kind == "DIRFD";
        a.output = kind.starts_with("OUT") || kind.starts_with("BUF_OUT");
        a.pid = kind == "PID";
        a.pointer = kind == "PTR" || kind == "PATH" || kind == "STR" || a.output || kind.starts_with("IN(") ||
                    kind.starts_with("IN_ARRAY") || kind.starts_with("INOUT") || kind.starts_with("BUF_IN");
        a.pointer = a.pointer || std::string_view(r.types.begin()[i - 1]).starts_with("UserPtr");
        a.hex = !a.pointer;
      }
      calls.push_back(c);
    }
    return calls;
  }();
  return t;
}

struct Flag {
  std::string_view name;
  uint64_t value;
};
struct Family {
  std::string_view name;
  std::vector<Flag> flags;
};

const Family* family(std::string_view name) {
  static const std::unordered_map<std::string_view, Family> families = [] {
    std::unordered_map<std::string_view, Family> m;
    Family f;
#define FAMILY(n, unknown) f = Family{#n, {}};
#define FLAG(n, v) f.flags.push_back({#n, static_cast<uint64_t>(v)});
#define END_FAMILY m[f.name] = f;
#include "emulated_kernel/abi/flags/all.def"
#undef FAMILY
#undef FLAG
#undef END_FAMILY
    return m;
  }();
  const auto it = families.find(name);
  return it == families.end() ? nullptr : &it->second;
}

std::string bits(uint64_t v, const Family& f) {
  std::string s;
  // The access mode of open(2) is a number, and shown even if it is 0.
  if (f.name == "open_flags" && (v & 3) == 0) s = "O_RDONLY";
  if (f.name == "open_flags" && v == 0) return s;
  for (const Flag& flag : f.flags) {
    if (flag.value == 0 ? v != 0 || !s.empty() : (v & flag.value) != flag.value) continue;
    if (!s.empty()) s += '|';
    s += flag.name;
    v &= ~flag.value;
    if (flag.value == 0) return s;
  }
  if (v != 0 || s.empty()) s += fmt::format("{}{:#x}", s.empty() ? "" : "|", v);
  return s == "0x0" ? "0" : s;
}

std::string one_of(uint64_t v, const Family& f) {
  for (const Flag& flag : f.flags)
    if (flag.value == v) return std::string(flag.name);
  return fmt::format("{:#x}", v);
}

std::string_view inside(std::string_view kind) {
  const size_t open = kind.find('(');
  return open == std::string_view::npos ? std::string_view() : kind.substr(open + 1, kind.size() - open - 2);
}

constexpr std::array WAITS{
    "futex",         "epoll_wait",  "epoll_pwait",     "epoll_pwait2",    "poll",         "ppoll",
    "select",        "pselect6",    "nanosleep",       "clock_nanosleep", "pause",        "rt_sigtimedwait",
    "rt_sigsuspend", "sched_yield", "restart_syscall", "futex_waitv",     "io_getevents", "rt_sigreturn"};
constexpr std::array ASKS{"getpid",       "gettid",        "getppid",   "clock_gettime",     "gettimeofday",
                          "time",         "times",         "getrusage", "sched_getaffinity", "getcpu",
                          "clock_getres", "sched_getparam"};
constexpr std::array READS{"read", "readv", "recvfrom", "recvmsg", "recvmmsg"};
constexpr std::array WRITES{"write", "writev", "sendto", "sendmsg", "sendmmsg"};

}  // namespace

const CallInfo* call_by_name(std::string_view name) {
  static const std::unordered_map<std::string_view, const CallInfo*> map = [] {
    std::unordered_map<std::string_view, const CallInfo*> m;
    for (const CallInfo& c : table()) m[c.name] = &c;
    return m;
  }();
  const auto it = map.find(name);
  return it == map.end() ? nullptr : it->second;
}

const CallInfo* call_by_number(int64_t number) {
  static const std::unordered_map<int64_t, const CallInfo*> map = [] {
    std::unordered_map<int64_t, const CallInfo*> m;
    for (const CallInfo& c : table()) m[c.number] = &c;
    return m;
  }();
  const auto it = map.find(number);
  return it == map.end() ? nullptr : it->second;
}

std::string decode_raw(const CallInfo& call, int arg, const uint64_t (&values)[6]) {
  const std::string_view kind = call.args[arg].kind;
  const uint64_t v = values[arg];
  const auto v32 = static_cast<uint32_t>(v);
  if (kind == "FD" || kind == "INT") return fmt::format("{}", static_cast<int32_t>(v32));
  if (kind == "PID" || kind == "UINT" || kind == "UID") return fmt::format("{}", v32);
  if (kind == "DIRFD")
    return static_cast<int32_t>(v32) == -100 ? "AT_FDCWD" : fmt::format("{}", static_cast<int32_t>(v32));
  if (kind == "LONG") return fmt::format("{}", static_cast<int64_t>(v));
  if (kind == "ULONG") return fmt::format("{}", v);
  if (kind == "HEX") return v == 0 ? "0" : fmt::format("{:#x}", v);
  if (kind == "OCT") return fmt::format("0{:o}", v32);
  if (kind == "PTR") return v == 0 ? "NULL" : fmt::format("{:#x}", v);
  if (kind == "SIGNO") {
    const char* name = sigabbrev_np(static_cast<int>(v32));
    return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("{}", v32);
  }
  if (kind.starts_with("FLAGS") || kind.starts_with("ENUM"))
    if (const Family* f = family(inside(kind)))
      return kind.starts_with("FLAGS") ? bits(v32, *f) : one_of(v32, *f);
  if (kind == "SHOW(MMAP_FLAGS)") {
    const Family *type = family("mmap_type"), *flags = family("mmap_flags");
    if (type != nullptr && flags != nullptr) {
      std::string s = one_of(v & 0xf, *type);
      if ((v & ~uint64_t{0xf}) != 0) s += "|" + bits(v & ~uint64_t{0xf}, *flags);
      return s;
    }
  }
  if (call.args[arg].pointer && v == 0) return "NULL";
  return "?";
}

std::string_view errno_name(int64_t number) {
  if (number <= 0 || number >= 4096) return {};
  const char* name = strerrorname_np(static_cast<int>(number));
  return name == nullptr ? std::string_view() : name;
}

bool waits(std::string_view name) { return among(WAITS, name); }
bool only_asks(std::string_view name) { return among(ASKS, name); }
bool makes_task(std::string_view name) {
  return name == "clone" || name == "clone3" || name == "fork" || name == "vfork";
}

bool reads_stream(std::string_view name) { return among(READS, name); }
bool writes_stream(std::string_view name) { return among(WRITES, name); }

}  // namespace starry::diff
