// ioctl(2): request names and what their arguments point to.
#include <arpa/inet.h>
#include <asm/termbits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "emulated_kernel/trace/printer.h"

// <sys/ioctl.h> and <asm/termbits.h> cannot be included together.
#include <asm/ioctls.h>

namespace starry::trace {

namespace {

void print_request_name(Printer& p, uint64_t v) {
  bool known = false;
  for (const NamedValue& n : family_values(FlagFamily::ioctl_cmd)) {
    if (static_cast<uint64_t>(n.value) != v) continue;
    if (std::exchange(known, true)) p.put(" or ");  // requests that share a number
    p.put(n.name);
  }
  if (known) return;
  p.state.unknown.push_back({static_cast<int>(FlagFamily::ioctl_cmd), v});
  // _IOC(direction, type, number, size), see <asm-generic/ioctl.h>.
  constexpr const char* DIRECTIONS[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
  p.print("_IOC({}, ", DIRECTIONS[v >> 30 & 3]);
  p.number_hex(v >> 8 & 0xff);
  p.put(", ");
  p.number_hex(v & 0xff);
  p.put(", ");
  p.number_hex(v >> 16 & 0x3fff);
  p.put(")");
}

}  // namespace

void format_IOCTL_CMD(Printer& p) {
  const uint64_t v = p.value();
  if (p.names != XlatStyle::ABBREV) p.number_hex(v);
  if (p.names == XlatStyle::RAW) return;
  if (p.names == XlatStyle::VERBOSE) p.put(" /* ");
  print_request_name(p, v);
  if (p.names == XlatStyle::VERBOSE) p.put(" */");
}

namespace {

constexpr uint64_t GET_PTN = 0x80045430, SET_PTLCK = 0x40045431, GET_PTLCK = 0x80045439,
                   GET_EXCL = 0x80045440;
constexpr uint64_t GET_FLAGS = 0x80086601, CLONE_FILE = 0x40049409;

enum class Shape : uint8_t {
  NONE,
  NUMBER,
  DESCRIPTOR,
  INT_IN,
  INT_OUT,
  TERMIOS_IN,
  TERMIOS_OUT,
  WINSIZE_IN,
  WINSIZE_OUT,
  CHAR_IN,
  FLUSH,
  FLOW,
  IFREQ,
  IFNAME,
  IFCONF,
  FLAGS_OUT,
  RAW
};

Shape shape_of(uint64_t cmd) {
  switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
    case TIOCEXCL:
    case TIOCNXCL:
    case TIOCNOTTY:
    case TIOCSBRK:
    case TIOCCBRK:
    case TIOCVHANGUP:
      return Shape::NONE;
    case TCSBRK:
    case TCSBRKP:
    case TIOCSCTTY:
      return Shape::NUMBER;
    case CLONE_FILE:
      return Shape::DESCRIPTOR;
    case FIONBIO:
    case FIOASYNC:
    case TIOCSPGRP:
    case TIOCSETD:
    case TIOCPKT:
    case SET_PTLCK:
      return Shape::INT_IN;
    case FIONREAD:
    case TIOCOUTQ:
    case TIOCGPGRP:
    case TIOCGSID:
    case TIOCGETD:
    case GET_PTN:
    case GET_PTLCK:
    case GET_EXCL:
      return Shape::INT_OUT;
    case TCGETS:
      return Shape::TERMIOS_OUT;
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
      return Shape::TERMIOS_IN;
    case TIOCGWINSZ:
      return Shape::WINSIZE_OUT;
    case TIOCSWINSZ:
      return Shape::WINSIZE_IN;
    case TIOCSTI:
      return Shape::CHAR_IN;
    case TCFLSH:
      return Shape::FLUSH;
    case TCXONC:
      return Shape::FLOW;
    case SIOCGIFINDEX:
    case SIOCGIFFLAGS:
    case SIOCGIFADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFHWADDR:
    case SIOCGIFMTU:
    case SIOCGIFMETRIC:
    case SIOCGIFTXQLEN:
      return Shape::IFREQ;
    case SIOCGIFNAME:
      return Shape::IFNAME;
    case SIOCGIFCONF:
      return Shape::IFCONF;
    case GET_FLAGS:
      return Shape::FLAGS_OUT;
    default:
      return Shape::RAW;
  }
}

bool is_out(Shape s) {
  return s == Shape::INT_OUT || s == Shape::TERMIOS_OUT || s == Shape::WINSIZE_OUT || s == Shape::FLAGS_OUT;
}

// Bits of a mode word; unlike elsewhere no bits show as nothing.
void print_tty_bits(Printer& p, FlagFamily family, tcflag_t bits) {
  if (bits != 0) p.flags(family, bits);
}

void print_termios(Printer& p) {
  termios t;
  if (!p.load(p.value(), t)) return;
  p.put("{c_iflag=");
  print_tty_bits(p, FlagFamily::tty_iflag, t.c_iflag);
  p.put(", c_oflag=");
  p.name(FlagFamily::tty_newline_delay, t.c_oflag & NLDLY);
  p.put("|");
  p.name(FlagFamily::tty_return_delay, t.c_oflag & CRDLY);
  p.put("|");
  p.name(FlagFamily::tty_tab_delay, t.c_oflag & TABDLY);
  p.put("|");
  p.name(FlagFamily::tty_backspace_delay, t.c_oflag & BSDLY);
  p.put("|");
  p.name(FlagFamily::tty_vertical_delay, t.c_oflag & VTDLY);
  p.put("|");
  p.name(FlagFamily::tty_form_delay, t.c_oflag & FFDLY);
  p.put("|");
  print_tty_bits(p, FlagFamily::tty_oflag,
                 t.c_oflag & ~static_cast<tcflag_t>(NLDLY | CRDLY | TABDLY | BSDLY | VTDLY | FFDLY));
  p.put(", c_cflag=");
  p.name(FlagFamily::tty_speed, t.c_cflag & CBAUD);
  if (tcflag_t input = (t.c_cflag & CIBAUD) >> IBSHIFT; input != 0) {
    p.put("|");
    p.name(FlagFamily::tty_speed, input);
    p.put("<<IBSHIFT");
  }
  p.put("|");
  p.name(FlagFamily::tty_char_size, t.c_cflag & CSIZE);
  p.put("|");
  print_tty_bits(p, FlagFamily::tty_cflag, t.c_cflag & ~static_cast<tcflag_t>(CBAUD | CIBAUD | CSIZE));
  p.put(", c_lflag=");
  print_tty_bits(p, FlagFamily::tty_lflag, t.c_lflag);
  if (p.abbreviated) {
    p.put(", ...}");
    return;
  }
  p.print(", c_line=N_TTY, c_cc=");
  p.quoted({reinterpret_cast<const char*>(t.c_cc), NCCS}, true);
  p.put("}");
}

void print_winsize(Printer& p) {
  struct {
    uint16_t row, col, xpixel, ypixel;
  } w;
  if (p.load(p.value(), w))
    p.print("{{ws_row={}, ws_col={}, ws_xpixel={}, ws_ypixel={}}}", w.row, w.col, w.xpixel, w.ypixel);
}

void print_if_name(Printer& p, const char (&name)[IFNAMSIZ]) { p.quoted({name, strnlen(name, IFNAMSIZ)}); }

void print_ifreq_result(Printer& p, uint64_t cmd, const ifreq& r) {
  auto addr = [&](const char* field, const sockaddr& a) {
    p.print(", {}=", field);
    print_sockaddr_bytes(p, &a, sizeof a);
  };
  switch (cmd) {
    case SIOCGIFINDEX:
      p.print(", ifr_ifindex={}", r.ifr_ifindex);
      break;
    case SIOCGIFFLAGS:
      p.put(", ifr_flags=");
      p.flags(FlagFamily::interface_flags, static_cast<uint16_t>(r.ifr_flags));
      break;
    case SIOCGIFMTU:
      p.print(", ifr_mtu={}", r.ifr_mtu);
      break;
    case SIOCGIFMETRIC:
      p.print(", ifr_metric={}", r.ifr_metric);
      break;
    case SIOCGIFTXQLEN:
      p.print(", ifr_qlen={}", r.ifr_qlen);
      break;
    case SIOCGIFADDR:
      addr("ifr_addr", r.ifr_addr);
      break;
    case SIOCGIFNETMASK:
      addr("ifr_netmask", r.ifr_netmask);
      break;
    case SIOCGIFBRDADDR:
      addr("ifr_broadaddr", r.ifr_broadaddr);
      break;
    case SIOCGIFDSTADDR:
      addr("ifr_dstaddr", r.ifr_dstaddr);
      break;
    default: {
      const auto* mac = reinterpret_cast<const uint8_t*>(r.ifr_hwaddr.sa_data);
      p.put(", ifr_hwaddr={sa_family=");
      p.name(FlagFamily::hardware_type, r.ifr_hwaddr.sa_family);
      p.print(", sa_data={:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}}}", mac[0], mac[1], mac[2], mac[3], mac[4],
              mac[5]);
      break;
    }
  }
}

// {ifr_name="lo" at entry, what was asked for and the brace at exit.
void print_ifreq(Printer& p) {
  ifreq r{};
  if (p.entry()) {
    if (!p.load(p.value(), r)) return;
    p.put("{ifr_name=");
    print_if_name(p, r.ifr_name);
    p.defer();
    return;
  }
  if (!p.failed() && p.mem.read(p.value(), &r, sizeof r)) print_ifreq_result(p, p.arg(1), r);
  p.put("}");
}

void print_ifname(Printer& p) {
  ifreq r{};
  if (p.entry()) {
    if (!p.load(p.value(), r)) return;
    p.print("{{ifr_ifindex={}", r.ifr_ifindex);
    p.defer();
    return;
  }
  if (!p.failed() && p.mem.read(p.value(), &r, sizeof r)) {
    p.put(", ifr_name=");
    print_if_name(p, r.ifr_name);
  }
  p.put("}");
}

void print_ifconf(Printer& p) {
  struct {
    int32_t len, pad;
    uint64_t buf;
  } c{};
  if (p.entry()) {
    if (!p.load(p.value(), c)) return;
    p.state.entry_value[p.index] = static_cast<uint32_t>(c.len);
    p.defer();
    return;
  }
  if (!p.load(p.value(), c)) return;
  auto before = static_cast<int32_t>(p.state.entry_value[p.index]);
  p.print("{{ifc_len={}", before);
  if (p.failed()) {
    p.put(", ifc_buf=");
    p.address(c.buf);
    p.put("}");
    return;
  }
  if (c.len != before) p.print(" => {}", c.len);
  if (c.len % static_cast<int32_t>(sizeof(ifreq)) == 0)
    p.print(" /* {} * sizeof(struct ifreq) */", c.len / static_cast<int32_t>(sizeof(ifreq)));
  p.put(", ifc_buf=");
  if (c.buf == 0) {
    p.address(0);
  } else {
    p.array(static_cast<uint64_t>(std::max(c.len, 0)) / sizeof(ifreq), [&](uint64_t i) {
      ifreq r{};
      if (!p.load(c.buf + i * sizeof r, r)) return false;
      p.put("{ifr_name=");
      print_if_name(p, r.ifr_name);
      p.put(", ifr_addr=");
      print_sockaddr_bytes(p, &r.ifr_addr, sizeof r.ifr_addr);
      p.put("}");
      return true;
    });
  }
  p.put("}");
}

void print_int(Printer& p) {
  int32_t v;
  if (p.load(p.value(), v)) p.print("[{}]", v);
}

}  // namespace

void format_IOCTL_ARG(Printer& p) {
  const Shape shape = shape_of(p.arg(1));
  if (is_out(shape)) {
    if (p.entry()) {
      p.defer();
      return;
    }
    if (p.failed()) {
      p.address(p.value());
      return;
    }
  }
  switch (shape) {
    case Shape::NONE:
      p.omit();
      break;
    case Shape::NUMBER:
      p.print("{}", p.int_value());
      break;
    case Shape::DESCRIPTOR:
      p.fd(p.int_value());
      break;
    case Shape::INT_IN:
    case Shape::INT_OUT:
      print_int(p);
      break;
    case Shape::TERMIOS_IN:
    case Shape::TERMIOS_OUT:
      print_termios(p);
      break;
    case Shape::WINSIZE_IN:
    case Shape::WINSIZE_OUT:
      print_winsize(p);
      break;
    case Shape::CHAR_IN:
      p.bytes(p.value(), 1);
      break;
    case Shape::FLUSH:
      p.name(FlagFamily::flush_queue, p.value());
      break;
    case Shape::FLOW:
      p.name(FlagFamily::flow_action, p.value());
      break;
    case Shape::IFREQ:
      print_ifreq(p);
      break;
    case Shape::IFNAME:
      print_ifname(p);
      break;
    case Shape::IFCONF:
      print_ifconf(p);
      break;
    case Shape::FLAGS_OUT: {
      uint32_t v;
      if (!p.load(p.value(), v)) break;
      p.put("[");
      p.flags(FlagFamily::inode_flags, v);
      p.put("]");
      break;
    }
    case Shape::RAW:
      p.number_hex(p.value());
      break;
  }
}

}  // namespace starry::trace
