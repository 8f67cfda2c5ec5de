#include "emulated_kernel/profile/usage.h"

#include <fmt/format.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "emulated_kernel/abi/syscall_spec.h"
#include "emulated_kernel/entry/dispatch.h"
#include "emulated_kernel/profile/operands.h"
#include "emulated_kernel/task/task.h"
#include "emulated_kernel/trace/names.h"

namespace starry {
namespace {

using profile::NamedOperand;
using profile::Names;

struct Watched {
  SyscallFn next = nullptr;  // what served the call before
  std::string name;
  std::vector<std::pair<std::string, NamedOperand>> operands;
  std::vector<uint8_t> paths;  // arguments that are path names
  int level = -1;              // the argument that says whose option `optname` is
};

std::vector<Watched> watched;  // by number, once usage_start() was called
std::map<pid_t, ProcessUse> processes;

// What a call is about, taken before it changes anything.
struct Seen {
  std::string argument;
  std::string value;
  bool unknown;
};

std::string hex(uint64_t v) { return fmt::format("{:#x}", v); }

// The value under a mask, then the bits by name, then what is left.
void add_names(const std::string& argument, const NamedOperand& o, std::optional<FlagFamily> only,
               int64_t number, std::vector<Seen>& out) {
  uint64_t rest = static_cast<uint64_t>(number);
  if (o.operand.size < 8) rest &= (1ULL << (8 * o.operand.size)) - 1;
  bool valued = false, named = false, bits = false;
  for (const Names& n : o.names) {
    if (n.bits || (only && n.family != only)) continue;
    const uint64_t value = rest & n.mask;
    if (n.family == FlagFamily::signals) {  // 0 is none, and real-time signals have no rows
      if (value != 0) out.push_back({argument, trace::signal_name(static_cast<int>(value)), false});
      rest &= ~n.mask;
      continue;
    }
    valued = true;
    if (named) continue;
    const auto same = [&](const trace::NamedValue& v) {
      // Negative codes arrive as unsigned numbers of the argument's size.
      return static_cast<uint64_t>(v.value) == value ||
             (o.operand.size == 4 && static_cast<uint32_t>(v.value) == static_cast<uint32_t>(value));
    };
    const auto it = std::find_if(n.values.begin(), n.values.end(), same);
    if (it == n.values.end()) continue;
    out.push_back({argument, it->name, false});
    named = true;
    rest &= ~n.mask;
  }
  for (const Names& n : o.names) {
    if (!n.bits) continue;
    bits = true;
    for (const trace::NamedValue& v : n.values) {
      const auto bit = static_cast<uint64_t>(v.value);
      if (bit == 0 || (rest & bit) != bit) continue;
      out.push_back({argument, v.name, false});
      rest &= ~bit;
    }
  }
  if ((valued && !named) || (bits && rest != 0)) out.push_back({argument, hex(rest), true});
}

std::vector<Seen> look_at(Task& t, const Watched& w, const uint64_t args[6]) {
  std::vector<Seen> seen;
  for (const auto& [argument, o] : w.operands) {
    int64_t number = 0;
    if (o.operand.in_memory && t.call.nr == SYS_epoll_ctl && args[1] == EPOLL_CTL_DEL) continue;  // not read
    if (!profile::load_operand(o.operand, args, t.mem(), number)) continue;
    std::optional<FlagFamily> only;
    if (w.level >= 0 && argument == "optname") only = profile::option_family(static_cast<int>(args[w.level]));
    add_names(argument, o, only, number, seen);
  }
  return seen;
}

// The pseudo-files among a call's paths, as the program wrote them.
std::vector<std::string> pseudo_files(Task& t, const Watched& w, const uint64_t args[6]) {
  constexpr size_t PATH_MAX_BYTES = 4096;
  std::vector<std::string> paths;
  for (const uint8_t arg : w.paths) {
    auto path = t.mem().read_cstr(args[arg], PATH_MAX_BYTES, ENAMETOOLONG);
    if (!path) continue;
    const std::string& p = path.value();
    if (p.starts_with("/proc/") || p.starts_with("/sys/") || p.starts_with("/dev/")) paths.push_back(p);
  }
  return paths;
}

void count(UseCount& u, const std::string& error) {
  ++u.count;
  if (!error.empty()) ++u.errors[error];
}

std::string error_name(const SysResult& r) {
  if (r.ok()) return {};
  if (r.code() >= ERESTARTSYS) return "EINTR";
  const std::string text = trace::error_text(r.code());
  return text.substr(0, text.find(' '));
}

// The jump table's entry of every call while --report counts.
SysResult counted(Task& t, const uint64_t args[6]) {
  const Watched& w = watched[static_cast<size_t>(t.call.nr)];
  const std::vector<Seen> seen = look_at(t, w, args);
  const std::vector<std::string> files = pseudo_files(t, w, args);
  const Ref<ThreadGroup> group = t.group;
  ProcessUse& p = processes[group->tgid];
  p.pid = group->tgid;
  SysResult result = w.next != nullptr ? w.next(t, args) : emulated_syscall(t, args);
  p.name = t.name();
  p.exe = group->exe_path;
  const std::string error = error_name(result);
  CallUse& c = p.calls[w.name];
  count(c.total, error);
  c.missing = c.missing || result.code() == ENOSYS;
  for (const Seen& s : seen) {
    UseCount& u = c.arguments[s.argument][s.value];
    u.unknown = s.unknown;
    count(u, error);
  }
  for (const std::string& file : files) count(p.files[file][w.name], error);
  return result;
}

}  // namespace

void usage_start() {
  watched.resize(MAX_SYSCALL);
  for (int nr = 0; nr < MAX_SYSCALL; nr++) {
    const SyscallSpec& spec = syscall_spec(nr);
    Watched& w = watched[static_cast<size_t>(nr)];
    w.name = spec.name != nullptr ? spec.name : fmt::format("syscall_{:#x}", nr);
    if (spec.name != nullptr) w.operands = profile::named_operands(spec);
    for (int i = 0; i < spec.nargs; i++) {
      if (spec.args[i].spec.kind == Kind::PATH) w.paths.push_back(static_cast<uint8_t>(i));
      if (spec.args[i].name == std::string("level")) w.level = i;
    }
    w.next = replace_syscall(nr, counted);
  }
}

const std::map<pid_t, ProcessUse>& usage() { return processes; }

}  // namespace starry
