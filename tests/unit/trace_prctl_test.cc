// What calls look like whose arguments make no sense, and prctl(2) by option: lines that strace 6.1 printed.
#include <errno.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include <array>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"
#include "unit/trace_world.h"

namespace starry {
namespace {

std::string prctl_line(std::array<uint64_t, 5> a, int64_t value = -1, int err = EINVAL) {
  return TestCall("prctl", {a[0], a[1], a[2], a[3], a[4]}).line(err != 0 ? 0 : value, err);
}

TEST(TracePrctl, ShowsWhatTheOptionUses) {
  const std::string invalid = " = -1 EINVAL (Invalid argument)";
  EXPECT_EQ(prctl_line({PR_SET_PDEATHSIG, UINT64_MAX}),
            "prctl(PR_SET_PDEATHSIG, 18446744073709551615)" + invalid);
  EXPECT_EQ(prctl_line({PR_CAP_AMBIENT, 9, 1, 2, 3}),
            "prctl(PR_CAP_AMBIENT, 0x9 /* PR_CAP_AMBIENT_??? */, 0x1, 0x2, 0x3)" + invalid);
  EXPECT_EQ(prctl_line({PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99}),
            "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0x63 /* CAP_??? */, 0, 0)" + invalid);
  EXPECT_EQ(prctl_line({PR_GET_NO_NEW_PRIVS, 1}), "prctl(PR_GET_NO_NEW_PRIVS, 0x1, 0, 0, 0)" + invalid);
  EXPECT_EQ(prctl_line({PR_SET_NO_NEW_PRIVS, 2, 0, 1}), "prctl(PR_SET_NO_NEW_PRIVS, 2, 0, 0x1, 0)" + invalid);
  EXPECT_EQ(prctl_line({PR_MCE_KILL, 1, 3}),
            "prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 0x3 /* PR_MCE_KILL_??? */, 0, 0)" + invalid);
  EXPECT_EQ(prctl_line({PR_MCE_KILL, 2, 1}),
            "prctl(PR_MCE_KILL, 0x2 /* PR_MCE_KILL_??? */, 0x1, 0, 0)" + invalid);
  EXPECT_EQ(prctl_line({PR_MCE_KILL_GET}, 2, 0),
            "prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) = 2 (PR_MCE_KILL_DEFAULT)");
  EXPECT_EQ(prctl_line({PR_SET_FP_MODE, 0x11, 0x22}), "prctl(PR_SET_FP_MODE, PR_FP_MODE_FR|0x10)" + invalid);
  EXPECT_EQ(prctl_line({PR_SVE_GET_VL, 1, 2}), "prctl(PR_SVE_GET_VL)" + invalid);
  EXPECT_EQ(prctl_line({PR_GET_SPECULATION_CTRL}, 2, 0),
            "prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS) = 0x2 (PR_SPEC_ENABLE)");
  EXPECT_EQ(prctl_line({PR_SET_VMA, 7, 4096, 4096, 8}),
            "prctl(PR_SET_VMA, 0x7 /* PR_SET_VMA_??? */, 0x1000, 0x1000, 0x8)" + invalid);
  EXPECT_EQ(prctl_line({0, 1, 2, 3, 4}), "prctl(0 /* PR_??? */, 0x1, 0x2, 0x3, 0x4)" + invalid);
}

TEST(TraceOddities, Times) {
  TestCall c("nanosleep", {A, B});
  c.mem.put(A, timespec{0, -1});
  EXPECT_EQ(
      c.line(0, EINVAL),
      "nanosleep({tv_sec=0, tv_nsec=18446744073709551615}, 0x7ffe00002000) = -1 EINVAL (Invalid argument)");
  // The rest of a sleep until a point in time is not written.
  TestCall until("clock_nanosleep", {CLOCK_MONOTONIC, TIMER_ABSTIME, A, B});
  until.mem.put(A, timespec{5, 0});
  until.mem.put(B, timespec{4, 0});
  EXPECT_EQ(until.line(0, ERESTARTNOHAND),
            "clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=5, tv_nsec=0}, 0x7ffe00002000) = ? "
            "ERESTARTNOHAND (To be restarted if no handler)");
}

TEST(TraceOddities, NumbersWithoutAName) {
  EXPECT_EQ(TestCall("ftruncate", {UINT32_MAX, UINT64_MAX}).line(0, EINVAL),
            "ftruncate(-1, 18446744073709551615) = -1 EINVAL (Invalid argument)");
  EXPECT_EQ(TestCall("socket", {AF_INET, SOCK_STREAM | 0x100, 0}).line(0, EINVAL),
            "socket(AF_INET, SOCK_STREAM|0x100 /* SOCK_??? */, IPPROTO_IP) = -1 EINVAL (Invalid argument)");
  EXPECT_EQ(TestCall("socket", {AF_PACKET, SOCK_RAW, 0x300}).line(5),
            "socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) = 5");
}

TEST(TraceOddities, ControlDataThatEndsEarly) {
  GuestMsghdr m{};
  m.iov = B;
  m.iovlen = 1;
  m.control = C;
  TestCall c("sendmsg", {9, A, 0});
  c.mem.put(B, GuestIovec{D, 2});
  c.mem.put_bytes(D, "hi");
  struct {
    uint64_t len;
    int level, type, fd, none;
    uint64_t rest[4];
  } rights{20, SOL_SOCKET, SCM_RIGHTS, 1, 0, {}};
  c.mem.put(C, rights);
  const auto line = [&](uint64_t length) {
    m.controllen = length;
    c.mem.put(A, m);
    const std::string text = c.line(2);
    const size_t from = text.find("msg_control="), to = text.find(", msg_controllen");
    return text.substr(from, to - from);
  };
  const std::string one =
      "msg_control=[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[1]}";
  EXPECT_EQ(line(20), one + "]");
  EXPECT_EQ(line(32), one + ", ... /* " + fmt::format("{:#x}", C + 24) + " */]");
  EXPECT_EQ(line(40), one + ", {cmsg_len=0, cmsg_level=SOL_IP, cmsg_type=0 /* IP_??? */}]");
  rights.len = 3;
  c.mem.put(C, rights);
  EXPECT_EQ(line(40), "msg_control=[{cmsg_len=3, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS}, ... /* " +
                          fmt::format("{:#x}", C + 16) + " */]");
}

}  // namespace
}  // namespace starry
