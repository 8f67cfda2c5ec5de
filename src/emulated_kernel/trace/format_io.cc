// Buffers, descriptors and readiness: iovec, directory entries, poll, select, epoll.
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <vector>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

void print_iovec(Printer& p, uint64_t addr, uint64_t count, uint64_t data_limit, bool buffers) {
  GuestIovec probe;
  if (addr == 0 || (count > 0 && !p.mem.read(addr, &probe, sizeof probe))) {
    p.address(addr);
    return;
  }
  p.array(count, [&](uint64_t i) {
    GuestIovec v;
    if (!p.mem.read(addr + i * sizeof v, &v, sizeof v)) {
      p.print("... /* {:#x} */", addr + i * sizeof v);
      return false;
    }
    p.put("{iov_base=");
    if (buffers) {
      uint64_t n = std::min(v.len, data_limit);
      data_limit -= n;
      p.bytes(v.base, n);
    } else {
      p.address(v.base);
    }
    p.print(", iov_len={}}}", v.len);
    return true;
  });
}

namespace {

void print_own_iovec(Printer& p, uint64_t data_limit, bool buffers) {
  print_iovec(p, p.value(), p.arg(p.spec.args[p.index].spec.len_arg), data_limit, buffers);
}

// Counts the records of a getdents buffer; `reclen_at`: offset of d_reclen.
void print_dirents(Printer& p, size_t reclen_at) {
  if (p.failed() || p.value() == 0) {
    p.address(p.value());
    return;
  }
  uint64_t end = static_cast<uint64_t>(p.call.value), count = 0;
  for (uint64_t at = 0; at < end; ++count) {
    uint16_t reclen = 0;
    if (!p.mem.read(p.value() + at + reclen_at, &reclen, sizeof reclen) || reclen == 0) break;
    at += reclen;
  }
  p.address(p.value());
  p.print(" /* {} entries */", count);
}

bool load_fdset(Printer& p, std::vector<uint64_t>& bits) {
  constexpr int MAX_FDS = 1 << 20;
  int n = static_cast<int>(p.arg(0));
  if (n < 0 || n > MAX_FDS) return false;
  bits.resize((static_cast<size_t>(n) + 63) / 64);
  return p.mem.read(p.value(), bits.data(), bits.size() * 8);
}

void print_fdset(Printer& p, const std::vector<uint64_t>& bits) {
  p.put("[");
  bool first = true;
  for (int fd = 0; fd < static_cast<int>(p.arg(0)); ++fd) {
    if ((bits[static_cast<size_t>(fd) / 64] >> (fd % 64) & 1) == 0) continue;
    if (!first) p.put(" ");
    first = false;
    p.fd(fd);
  }
  p.put("]");
}

void print_pollfds_in(Printer& p, uint64_t count) {
  pollfd probe;
  if (count > 0 && (p.value() == 0 || !p.mem.read(p.value(), &probe, sizeof probe))) {
    p.address(p.value());
    return;
  }
  if (p.value() == 0) {
    p.address(0);
    return;
  }
  p.array(count, [&](uint64_t i) {
    pollfd f;
    uint64_t at = p.value() + i * sizeof f;
    if (!p.mem.read(at, &f, sizeof f)) {
      p.print("... /* {:#x} */", at);
      return false;
    }
    p.put("{fd=");
    p.fd(f.fd);
    if (f.fd >= 0) {
      p.put(", events=");
      p.flags(FlagFamily::poll_events, static_cast<uint16_t>(f.events));
    }
    p.put("}");
    return true;
  });
}

void print_pollfds_out(Printer& p, uint64_t count) {
  p.note_item();
  p.put("[");
  bool first = true;
  for (uint64_t i = 0; i < count; ++i) {
    pollfd f;
    if (!p.mem.read(p.value() + i * sizeof f, &f, sizeof f)) break;
    if (f.revents == 0) continue;
    if (!first) p.put(", ");
    first = false;
    p.put("{fd=");
    p.fd(f.fd);
    p.put(", revents=");
    p.flags(FlagFamily::poll_events, static_cast<uint16_t>(f.revents));
    p.put("}");
  }
  p.put("]");
}

void print_epoll_event(Printer& p, const epoll_event& e) {
  p.put("{events=");
  p.flags(FlagFamily::epoll_events, e.events);
  p.print(", data={{u32={}, u64={}}}}}", static_cast<uint32_t>(e.data.u64),
          static_cast<uint64_t>(e.data.u64));
}

}  // namespace

void format_IOVEC(Printer& p) { print_own_iovec(p, UINT64_MAX, true); }

void format_IOVEC_OUT(Printer& p) {
  if (p.entry()) {
    p.defer();
    return;
  }
  print_own_iovec(p, p.failed() ? 0 : static_cast<uint64_t>(p.call.value), !p.failed());
}

void format_IOVEC_ADDR(Printer& p) { print_own_iovec(p, 0, false); }

void format_DIRENTS(Printer& p) { print_dirents(p, 16); }
void format_DIRENTS64(Printer& p) { print_dirents(p, 16); }

void format_BUF_HEX(Printer& p) {
  if (p.failed())
    p.address(p.value());
  else
    p.bytes_hex(p.value(), static_cast<uint64_t>(p.call.value));
}

void format_STR_OUT(Printer& p) {
  if (p.failed())
    p.address(p.value());
  else
    p.path(p.value());
}

void format_POLLFD(Printer& p) {
  uint64_t count = p.arg(1);
  if (p.phase == Phase::NOTE) {
    if (p.call.value == 0)
      p.put("Timeout");
    else
      print_pollfds_out(p, count);
    return;
  }
  if (p.value() == 0)
    p.address(0);
  else
    print_pollfds_in(p, count);
  p.want_note();
}

void format_FDSET(Printer& p) {
  std::vector<uint64_t> bits;
  if (p.phase == Phase::NOTE) {
    if (p.call.value == 0) {
      if (p.out.empty()) p.put("Timeout");
      return;
    }
    if (p.value() == 0 || !load_fdset(p, bits)) return;
    if (std::all_of(bits.begin(), bits.end(), [](uint64_t w) { return w == 0; })) return;
    constexpr const char* NAMES[] = {"", "in", "out", "except"};
    p.note_item();
    p.print("{} ", NAMES[p.index]);
    print_fdset(p, bits);
    return;
  }
  if (p.value() == 0 || !load_fdset(p, bits))
    p.address(p.value());
  else
    print_fdset(p, bits);
  p.want_note();
}

void format_EPOLL_EVENT(Printer& p) {
  constexpr uint64_t EPOLL_DEL = 2;
  epoll_event e{};
  if (p.arg(1) == EPOLL_DEL)
    p.address(p.value());
  else if (p.fetch(e))
    print_epoll_event(p, e);
}

void format_EPOLL_EVENTS(Printer& p) {
  if (p.failed() || p.value() == 0) {
    p.address(p.value());
    return;
  }
  p.array(static_cast<uint64_t>(p.call.value), [&](uint64_t i) {
    epoll_event e{};
    if (!p.load(p.value() + i * sizeof e, e)) return false;
    print_epoll_event(p, e);
    return true;
  });
}

void format_FD_PAIR(Printer& p) {
  int fds[2];
  if (!p.fetch(fds)) return;
  p.put("[");
  p.fd(fds[0]);
  p.put(", ");
  p.fd(fds[1]);
  p.put("]");
}

void format_OFFSET_LO(Printer& p) { p.print("{}", static_cast<int64_t>(p.value())); }

void format_HIDDEN(Printer& p) { p.omit(); }

void format_INT32(Printer& p) {
  int32_t v;
  if (p.fetch(v)) p.print("[{}]", v);
}
void format_UINT32(Printer& p) {
  uint32_t v;
  if (p.fetch(v)) p.print("[{}]", v);
}
void format_UINT64(Printer& p) {
  uint64_t v;
  if (p.fetch(v)) p.print("[{}]", v);
}
void format_HEX64(Printer& p) {
  uint64_t v;
  if (p.fetch(v)) p.print("[{:#x}]", v);
}
void format_PTR64(Printer& p) {
  uint64_t v;
  if (!p.fetch(v)) return;
  p.put("[");
  p.address(v);
  p.put("]");
}

void format_INT64_CHANGED(Printer& p) {
  int64_t v;
  if (p.entry()) {
    if (p.fetch(v)) p.print("[{}]", v);
    // sendfile(2) goes on after the call; splice and copy_file_range show the value before it only.
    if (p.spec.nargs == 4 && p.state.entry_valid[p.index]) p.defer();
    return;
  }
  auto before = static_cast<int64_t>(p.state.entry_value[p.index]);
  if (!p.failed() && p.mem.read(p.value(), &v, sizeof v) && v != before) p.print(" => [{}]", v);
}

}  // namespace starry::trace
