// The system as the guest sees it: uname(2), sysinfo(2), getrandom(2), getcpu(2), syslog(2).
#include <linux/capability.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <climits>

#include "emulated_kernel/abi/syscall_handlers.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/task.h"

namespace starry {

namespace {

constexpr size_t UTS_LEN = 64;       // __NEW_UTS_LEN
constexpr uint32_t PER_MASK = 0xff;  // personality(2)
constexpr uint32_t PER_LINUX32 = 0x0008;

template <size_t N>
void set_field(char (&field)[N], const std::string& text) {
  text.copy(field, N - 1);
}

// sethostname(2), setdomainname(2)
SysResult set_name(Task& t, std::string& where, UserPtr<const char> name, int len) {
  if (!t.cred->capable_in(t.ns->uts->user_ns(), CAP_SYS_ADMIN)) return Error{EPERM};
  if (len < 0 || static_cast<size_t>(len) > UTS_LEN) return Error{EINVAL};
  std::string text(static_cast<size_t>(len), '\0');
  TRY(t.mem().read(name.addr, text.data(), text.size()));
  where = text.c_str();  // up to a NUL
  return 0;
}

}  // namespace

SysResult sys_uname(Task& t, UserPtr<utsname> buf) {
  const UtsNames& names = t.ns->uts->names();
  utsname u{};
  set_field(u.sysname, names.sysname);
  set_field(u.nodename, names.hostname);
  set_field(u.release, names.release);
  set_field(u.version, names.version);
  set_field(u.machine, (t.group->personality & PER_MASK) == PER_LINUX32 ? "i686" : names.machine);
  set_field(u.domainname, names.domainname);
  TRY(t.mem().put(buf, u));
  return 0;
}

SysResult sys_sethostname(Task& t, UserPtr<const char> name, int len) {
  return set_name(t, t.ns->uts->names().hostname, name, len);
}

SysResult sys_setdomainname(Task& t, UserPtr<const char> name, int len) {
  return set_name(t, t.ns->uts->names().domainname, name, len);
}

SysResult sys_sysinfo(Task& t, UserPtr<struct sysinfo> info) {
  const MemoryTotals memory = memory_totals();
  const auto loads = load_averages();
  struct sysinfo s {};
  s.uptime = static_cast<long>((platform().boottime_ns() + 999'999'999) / 1'000'000'000);
  // From FSHIFT (11) to SI_LOAD_SHIFT (16) fraction bits.
  for (size_t i = 0; i < loads.size(); i++) s.loads[i] = loads[i] << 5;
  s.totalram = memory.total;
  s.freeram = memory.free;
  s.bufferram = memory.buffers;
  s.procs = static_cast<unsigned short>(thread_count());
  s.mem_unit = 1;
  TRY(t.mem().put(info, s));
  return 0;
}

SysResult sys_getrandom(Task& t, UserPtr<void> buf, size_t count, unsigned flags) {
  if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0) return Error{EINVAL};
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) return Error{EINVAL};
  const size_t total = std::min<size_t>(count, INT_MAX & ~4095);
  uint8_t chunk[4096];
  size_t done = 0;
  while (done < total) {
    const size_t n = std::min(total - done, sizeof chunk);
    platform().entropy(chunk, n);
    const Result<size_t> copied = t.mem().write_some(buf.addr + done, chunk, n);
    if (!copied.ok()) {
      if (done == 0) return copied.error();
      break;
    }
    done += copied.value();
    if (copied.value() < n || t.signal_pending(SleepMode::interruptible)) break;
  }
  return static_cast<int64_t>(done);
}

SysResult sys_getcpu(Task& t, UserPtr<unsigned> cpu, UserPtr<unsigned> node, UserPtr<void> /*cache*/) {
  if (cpu) TRY(t.mem().put(cpu, static_cast<unsigned>(t.se.cpu)));
  if (node) TRY(t.mem().put(node, 0U));
  return 0;
}

// syslog(2) with kernel.dmesg_restrict = 1: nothing without CAP_SYSLOG. The log itself is empty: this
// kernel's messages go to the user who started it.
SysResult sys_syslog(Task& t, int type, UserPtr<char> buf, int len) {
  enum {
    CLOSE,
    OPEN,
    READ,
    READ_ALL,
    READ_CLEAR,
    CLEAR,
    CONSOLE_OFF,
    CONSOLE_ON,
    CONSOLE_LEVEL,
    SIZE_UNREAD,
    SIZE_BUFFER
  };
  constexpr int LOG_BUFFER_BYTES = 1 << 17;
  if (!t.cred->capable(CAP_SYSLOG) && !t.cred->capable(CAP_SYS_ADMIN)) return Error{EPERM};
  switch (type) {
    case CLOSE:
    case OPEN:
    case CLEAR:
    case SIZE_UNREAD:
      return 0;
    case READ:
    case READ_ALL:
    case READ_CLEAR: {
      if (!buf || len < 0) return Error{EINVAL};
      if (len == 0 || type != READ) return 0;
      WaitQueue never;
      TRY(wait_event(never, Deadline::never(), [] { return false; }));
      return 0;
    }
    case CONSOLE_LEVEL:
      return len < 1 || len > 8 ? SysResult(Error{EINVAL}) : SysResult(0);
    case CONSOLE_OFF:
    case CONSOLE_ON:
      return 0;
    case SIZE_BUFFER:
      return LOG_BUFFER_BYTES;
    default:
      return Error{EINVAL};
  }
}

}  // namespace starry
