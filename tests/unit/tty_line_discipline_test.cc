// The line discipline: cases from termios(3), and random sessions compared with the host's own
// pseudo-terminals.
#include "emulated_kernel/tty/line_discipline.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <random>
#include <string>
#include <vector>

namespace starry {
namespace {

struct Recorder final : LineDiscipline::Client {
  void signal_foreground(int signo) override { signals.push_back(signo); }
  void input_ready() override {}
  void output_ready() override {}
  void output_flushed() override {}
  void flow_changed(bool) override {}
  std::vector<int> signals;
};

struct Tty {
  Recorder recorder;
  LineDiscipline ldisc{recorder};
  std::string take_output() {
    std::string out = std::move(ldisc.output());
    ldisc.output().clear();
    ldisc.took_output();
    return out;
  }
  std::string read(size_t max = 4096) {
    std::string out(max, '\0');
    out.resize(ldisc.read(out.data(), max));
    return out;
  }
};

TEST(LineDiscipline, EditsALine) {
  Tty t;
  t.ldisc.receive("helo\x7flo\r");
  EXPECT_TRUE(t.ldisc.input_available(true));
  EXPECT_EQ(t.read(), "hello\n");
  EXPECT_EQ(t.take_output(), "helo\b \blo\r\n");
}

TEST(LineDiscipline, KillsWordAndLine) {
  Tty t;
  t.ldisc.receive("one two\x17");
  EXPECT_EQ(t.take_output(), "one two\b \b\b \b\b \b");
  t.ldisc.receive("\x15x\n");
  EXPECT_EQ(t.read(), "x\n");
}

TEST(LineDiscipline, EndOfFileEndsAReadWithoutACharacter) {
  Tty t;
  t.ldisc.receive("ab\x04\x04");
  EXPECT_EQ(t.read(), "ab");
  EXPECT_TRUE(t.ldisc.input_available(false));
  EXPECT_EQ(t.read(), "");
  EXPECT_FALSE(t.ldisc.input_available(false));
}

TEST(LineDiscipline, InterruptFlushesAndEchoes) {
  Tty t;
  t.ldisc.receive("abc\x03");
  EXPECT_EQ(t.recorder.signals, std::vector<int>{SIGINT});
  EXPECT_EQ(t.ldisc.input_count(), 0u);
  EXPECT_EQ(t.take_output(), "^C");
}

TEST(LineDiscipline, StoppedOutputWaitsWithItsEcho) {
  Tty t;
  t.ldisc.receive("\x13");
  EXPECT_EQ(t.ldisc.write("x"), 0u);
  t.ldisc.receive("a");
  EXPECT_EQ(t.take_output(), "");
  t.ldisc.receive("\x11");
  EXPECT_EQ(t.take_output(), "a");
  EXPECT_EQ(t.ldisc.write("x"), 1u);
}

TEST(LineDiscipline, OverlongLineStillEnds) {
  Tty t;
  EXPECT_EQ(t.ldisc.receive(std::string(6000, 'x')), 6000u);
  t.take_output();
  t.ldisc.receive("\n");
  const std::string line = t.read(8192);
  EXPECT_EQ(line.size(), 4096u);
  EXPECT_EQ(line.back(), '\n');
}

// A pair of the host whose slave is nobody's controlling terminal.
class HostPty {
 public:
  HostPty(const HostPty&) = delete;
  HostPty() : master_(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK)) {
    char name[64];
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0 ||
        ptsname_r(master_, name, sizeof name) != 0)
      return;
    slave_ = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  }
  ~HostPty() {
    close(slave_);
    close(master_);
  }
  bool ok() const { return slave_ >= 0; }
  void set(const Termios& t) { ioctl(slave_, TCSETS2, &t); }
  void type(std::string_view s) {
    EXPECT_EQ(::write(master_, s.data(), s.size()), static_cast<ssize_t>(s.size()));
  }
  // Less than given: output is stopped.
  size_t write(std::string_view s) {
    const ssize_t n = ::write(slave_, s.data(), s.size());
    return n < 0 ? 0 : static_cast<size_t>(n);
  }
  std::string read(size_t max) { return take(slave_, max); }
  // The host's kernel handles characters in a thread of its own: what is expected may take a moment.
  std::string output(const std::string& expected) {
    std::string out;
    eventually([&] {
      out += take(master_, 4096);
      return out.size() >= expected.size();
    });
    return out;
  }
  int input_count(int expected) {
    int n = 0;
    eventually([&] { return ioctl(slave_, FIONREAD, &n) == 0 && n == expected; });
    return n;
  }
  bool readable(bool expected) {
    pollfd p{slave_, POLLIN, 0};
    bool now = false;
    eventually([&] {
      poll(&p, 1, 0);
      now = (p.revents & POLLIN) != 0;
      return now == expected;
    });
    return now;
  }

 private:
  template <class Done>
  static void eventually(Done done) {
    for (int i = 0; !done() && i < 200; ++i) usleep(500);
  }
  static std::string take(int fd, size_t max) {
    std::string out(max, '\0');
    const ssize_t n = ::read(fd, out.data(), max);
    out.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return out;
  }
  int master_, slave_ = -1;
};

Termios random_modes(std::mt19937& rng) {
  Termios t;
  auto some = [&](std::initializer_list<uint32_t> bits, unsigned one_in) {
    uint32_t v = 0;
    for (uint32_t b : bits)
      if (rng() % one_in == 0) v |= b;
    return v;
  };
  t.iflag = some({ICRNL, IXON}, 2) | some({ISTRIP, INLCR, IGNCR, IUCLC, IXANY, IUTF8, PARMRK}, 6);
  t.oflag = some({OPOST, ONLCR}, 2) | some({OLCUC, OCRNL, ONOCR, ONLRET, XTABS}, 6);
  t.lflag = some({ICANON, ECHO, ECHOE, ECHOK, ECHOCTL, ECHOKE, IEXTEN, ISIG}, 2) |
            some({ECHONL, ECHOPRT, NOFLSH}, 6);
  if (rng() % 2 != 0) t.lflag |= ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  t.cc[VMIN] = static_cast<uint8_t>(rng() % 3);
  if (rng() % 4 == 0) t.cc[VEOL] = '!';
  return t;
}

std::string random_typing(std::mt19937& rng) {
  static const std::string KEYS =
      "abcXYZ_ 1.!\t\t\r\n\n\x7f\x7f\x7f\x17\x15\x04\x12\x16\x03\x1a\x1b\x01\xc3\xa9\xff";
  // Alone: what n_tty has not echoed yet when output stops is held back with what comes later.
  if (rng() % 8 == 0) return rng() % 2 != 0 ? "\x13" : "\x11";
  std::string s;
  for (unsigned n = 1 + rng() % 12; n > 0; --n) s.push_back(KEYS[rng() % KEYS.size()]);
  return s;
}

// One random session on both. Empty if nothing differed, else what happened.
std::string session(unsigned seed) {
  std::mt19937 rng(seed);
  Tty ours;
  HostPty host;
  Termios modes = random_modes(rng);
  host.set(modes);
  ours.ldisc.set_termios(modes);
  std::string story = "seed " + std::to_string(seed);
  auto differs = [&](const auto& theirs, const auto& mine, const char* what) {
    if (theirs == mine) return false;
    char text[100];
    snprintf(text, sizeof text, " iflag %o oflag %o lflag %o", modes.iflag, modes.oflag, modes.lflag);
    story += std::string(": ") + what + ": host " + testing::PrintToString(theirs) + ", ours " +
             testing::PrintToString(mine) + text;
    return true;
  };
  for (int step = 0; step < 40; ++step) {
    switch (rng() % 8) {
      case 0:
      case 1:
      case 2: {
        const std::string keys = random_typing(rng);
        story += " type " + testing::PrintToString(keys);
        host.type(keys);
        ours.ldisc.receive(keys);
        usleep(1000);  // most of what it does cannot be waited for
        break;
      }
      case 3: {
        const std::string text = "a\tb\r\nTxt\b\n";
        story += " write";
        const size_t n = ours.ldisc.write(text);
        if (differs(host.write(text), n, "written")) return story;
        break;
      }
      case 4:
      case 5: {
        const size_t max = 1 + rng() % 20;
        story += " read" + std::to_string(max);
        const bool available = ours.ldisc.input_available(true);
        if (differs(host.readable(available), available, "readable")) return story;
        if (available && differs(host.read(max), ours.read(max), "read")) return story;
        break;
      }
      case 6:
        // Held back echo goes through the modes of the time when it was typed here, of later there.
        if (rng() % 4 != 0 || ours.ldisc.stopped()) break;
        modes = random_modes(rng);
        story += " modes";
        host.set(modes);
        ours.ldisc.set_termios(modes);
        break;
      default:
        break;
    }
    const std::string output = ours.take_output();
    if (differs(host.output(output), output, "output")) return story;
    const int count = static_cast<int>(ours.ldisc.input_count());
    if (differs(host.input_count(count), count, "input count")) return story;
  }
  return {};
}

TEST(LineDiscipline, BehavesAsTheHost) {
  if (!HostPty().ok()) GTEST_SKIP() << "the host has no pseudo-terminals for us";
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::string difference = session(seed);
    // A busy host may be late with what was typed: only what differs every time counts.
    for (int again = 0; !difference.empty() && again < 4; ++again) difference = session(seed);
    ASSERT_EQ(difference, "");
  }
}

}  // namespace
}  // namespace starry
