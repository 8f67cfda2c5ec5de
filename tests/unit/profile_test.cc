// Profiles: the language of conditions and results, choosing a rule, reading XML.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <map>

#include "emulated_kernel/profile/operands.h"
#include "emulated_kernel/profile/quirks.h"
#include "tracer/config.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

using namespace profile;

// One readable block of guest memory.
class Block final : public UserMemory {
 public:
  template <class T>
  Block(UserAddr at, const T& v) : at_(at), bytes_(reinterpret_cast<const char*>(&v), sizeof v) {}
  Block() : at_(0) {}
  Result<void> read(UserAddr addr, void* dst, size_t n) override {
    if (addr < at_ || addr + n > at_ + bytes_.size()) return Error{EFAULT};
    std::memcpy(dst, bytes_.data() + (addr - at_), n);
    return {};
  }
  Result<void> write(UserAddr, const void*, size_t) override { return Error{EFAULT}; }
  Result<size_t> read_some(UserAddr, void*, size_t) override { return Error{EFAULT}; }
  Result<size_t> write_some(UserAddr, const void*, size_t) override { return Error{EFAULT}; }
  Result<std::string> read_cstr(UserAddr, size_t, int) override { return Error{EFAULT}; }
  Result<uint32_t> load32(UserAddr) override { return Error{EFAULT}; }
  Result<uint32_t> cmpxchg32(UserAddr, uint32_t, uint32_t) override { return Error{EFAULT}; }

 private:
  UserAddr at_;
  std::string bytes_;
};

const SyscallSpec& call(const char* name) { return *syscall_by_name(name); }

// Whether the condition holds for the arguments.
bool fits(const char* name, const char* argument, const char* text, std::vector<uint64_t> args,
          Block memory = {}) {
  const Parsed<Condition> c = parse_condition(call(name), argument, text);
  EXPECT_TRUE(c.value) << c.error;
  if (!c.value) return false;
  args.resize(6);
  CallPolicy p;
  p.rules.push_back({{*c.value}, {}});
  return &choose(p, args.data(), memory) == &p.rules[0].effect;
}

std::string mistake(const char* name, const char* argument, const char* text) {
  const Parsed<Condition> c = parse_condition(call(name), argument, text);
  return c.value ? "" : c.error;
}

TEST(ProfileCondition, NamesAndNumbers) {
  EXPECT_TRUE(fits("fcntl", "cmd", "F_DUPFD_CLOEXEC", {3, F_DUPFD_CLOEXEC}));
  EXPECT_FALSE(fits("fcntl", "cmd", "F_DUPFD_CLOEXEC", {3, F_DUPFD}));
  EXPECT_TRUE(fits("fcntl", "cmd", "F_GETFD,F_SETFD", {3, F_SETFD}));
  EXPECT_TRUE(fits("clock_nanosleep", "clockid", "!CLOCK_MONOTONIC", {0}));
  EXPECT_FALSE(fits("clock_nanosleep", "clockid", "!CLOCK_MONOTONIC,0x0", {0}));
  EXPECT_TRUE(fits("ioctl", "cmd", "FIONBIO", {3, FIONBIO}));
  EXPECT_TRUE(fits("kill", "pid", "-1", {0xffffffff, 9}));  // the upper half is not the argument's
  EXPECT_TRUE(fits("kill", "sig", "SIGKILL", {1, 9}));
  EXPECT_TRUE(fits("fstat", "fd", "0..2", {2}));
  EXPECT_FALSE(fits("fstat", "fd", "0..2", {3}));
  EXPECT_TRUE(fits("kill", "pid", "-5..-1", {0xffffffff}));
}

TEST(ProfileCondition, FlagsAreBits) {
  EXPECT_TRUE(fits("openat", "flags", "O_CLOEXEC", {0, 0, O_RDWR | O_CLOEXEC}));
  EXPECT_FALSE(fits("openat", "flags", "O_CLOEXEC|O_CREAT", {0, 0, O_RDWR | O_CLOEXEC}));
  EXPECT_TRUE(fits("openat", "flags", "O_CREAT,O_CLOEXEC", {0, 0, O_CLOEXEC}));
  EXPECT_TRUE(fits("openat", "flags", "O_RDONLY", {0, 0, O_CLOEXEC}));
  EXPECT_FALSE(fits("openat", "flags", "O_RDONLY", {0, 0, O_RDWR}));
  EXPECT_TRUE(fits("openat", "flags", "O_RDWR|O_CLOEXEC", {0, 0, O_RDWR | O_CLOEXEC}));
  EXPECT_TRUE(fits("umount2", "flags", "!0", {0, 2}));
  EXPECT_FALSE(fits("umount2", "flags", "!0", {0, 0}));
}

TEST(ProfileCondition, ValueAndBitsInOneArgument) {
  EXPECT_TRUE(fits("socket", "type", "SOCK_STREAM", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}));
  EXPECT_TRUE(fits("socket", "type", "SOCK_CLOEXEC", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}));
  EXPECT_FALSE(fits("socket", "type", "SOCK_DGRAM", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC}));
  EXPECT_TRUE(fits("futex", "op", "FUTEX_WAIT", {0, FUTEX_WAIT_PRIVATE}));
  EXPECT_TRUE(fits("futex", "op", "FUTEX_WAIT_PRIVATE", {0, FUTEX_WAIT_PRIVATE}));
  EXPECT_FALSE(fits("futex", "op", "FUTEX_WAIT_PRIVATE", {0, FUTEX_WAIT}));
  EXPECT_TRUE(fits("futex", "op", "FUTEX_CLOCK_REALTIME", {0, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME}));
  EXPECT_TRUE(fits("mmap", "flags", "MAP_ANONYMOUS", {0, 0, 0, MAP_PRIVATE | MAP_ANONYMOUS}));
  EXPECT_TRUE(fits("mmap", "flags", "MAP_PRIVATE|MAP_ANONYMOUS", {0, 0, 0, MAP_PRIVATE | MAP_ANONYMOUS}));
}

TEST(ProfileCondition, MembersOfStructures) {
  const epoll_event e{.events = EPOLLIN | EPOLLET, .data = {}};
  EXPECT_TRUE(fits("epoll_ctl", "events", "EPOLLET", {3, 1, 4, 0x1000}, Block(0x1000, e)));
  EXPECT_FALSE(fits("epoll_ctl", "events", "EPOLLONESHOT", {3, 1, 4, 0x1000}, Block(0x1000, e)));
  // Memory that cannot be read fits nothing, not even a negated condition.
  EXPECT_FALSE(fits("epoll_ctl", "events", "!EPOLLONESHOT", {3, 2, 4, 0}, Block(0x1000, e)));
}

TEST(ProfileCondition, SaysWhatIsWrong) {
  EXPECT_EQ(mistake("close", "fdd", "1"), "close has no argument 'fdd' (it has: fd)");
  EXPECT_NE(mistake("fcntl", "cmd", "F_NONSENSE").find("'F_NONSENSE' is not a value of cmd"),
            std::string::npos);
  EXPECT_NE(mistake("read", "count", "MANY").find("not a number"), std::string::npos);
  EXPECT_NE(mistake("read", "count", "5..1").find("not a range"), std::string::npos);
  EXPECT_NE(mistake("read", "count", "").find("needs a value"), std::string::npos);
  EXPECT_NE(mistake("openat", "flags", "EPOLLET").find("EPOLLET"), std::string::npos);
}

TEST(ProfileResult, Kinds) {
  EXPECT_EQ(parse_result("ENOSYS").value->value, ENOSYS);
  EXPECT_EQ(parse_result("ENOSYS").value->kind, Effect::Kind::error);
  EXPECT_EQ(parse_result("EAGAIN").value->value, EAGAIN);
  EXPECT_EQ(parse_result("EOPNOTSUPP").value->value, EOPNOTSUPP);
  EXPECT_EQ(parse_result("0x10").value->value, 16);
  EXPECT_EQ(parse_result("-1").value->value, -1);
  EXPECT_TRUE(parse_result("emulate").value->plain());
  EXPECT_EQ(parse_result("panic").value->kind, Effect::Kind::panic);
  for (const char* wrong : {"", "ENOPE", "yes", "1x", " 1"}) EXPECT_FALSE(parse_result(wrong).value) << wrong;
}

TEST(ProfileResult, ErrorsAreMappedInOrder) {
  Effect e;
  e.errors = *parse_errors("EBADF:EPERM,ECHILD:0,EIO").value;
  const auto map = [&](int code) { return map_error(e, Error{code}); };
  EXPECT_EQ(map(EBADF).code(), EPERM);
  EXPECT_EQ(map(ECHILD).value(), 0);
  EXPECT_EQ(map(ENOENT).code(), EIO);
  EXPECT_EQ(map(ERESTARTSYS).code(), ERESTARTSYS);
  EXPECT_EQ(map_error(e, SysResult(7)).value(), 7);
  for (const char* wrong : {"", "EX", "EBADF:", "EBADF:1", ":EPERM:"})
    EXPECT_FALSE(parse_errors(wrong).value) << wrong;
}

TEST(ProfileResult, Dropped) {
  const Parsed<ClearedBits> bits = parse_cleared(call("socket"), "type=SOCK_CLOEXEC|SOCK_NONBLOCK");
  ASSERT_TRUE(bits.value);
  EXPECT_EQ(bits.value->arg, 1);
  EXPECT_EQ(bits.value->bits, uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK});
  EXPECT_EQ(parse_cleared(call("dup3"), "flags").value->bits, ~0ULL);
  EXPECT_FALSE(parse_cleared(call("epoll_ctl"), "events").value);
}

TEST(ProfileCalls, ByNameAndClass) {
  EXPECT_EQ(calls_named("futex"), std::vector<int>{SYS_futex});
  const std::vector<int> net = calls_named("%network");
  EXPECT_NE(std::find(net.begin(), net.end(), SYS_socket), net.end());
  EXPECT_EQ(std::find(net.begin(), net.end(), SYS_read), net.end());
  EXPECT_TRUE(calls_named("%nonsense").empty());
  EXPECT_TRUE(calls_named("nonsense").empty());
}

TEST(ProfileQuirks, AreForCallsThatExist) {
  for (const Quirk& q : all_quirks()) {
    const std::string calls = q.calls;
    const std::string first = calls.substr(0, calls.find(' '));
    bool fits_one = false;
    for (int nr = 0; nr < MAX_SYSCALL; nr++)
      if (syscall_spec(nr).name != nullptr && q.fits(syscall_spec(nr).name)) fits_one = true;
    EXPECT_TRUE(fits_one) << q.name;
    EXPECT_FALSE(q.fits(first.substr(0, first.size() - 1))) << q.name;
  }
}

class ProfileFiles : public testing::Test {
 protected:
  ProfileFiles() {
    char name[] = "/tmp/starry-profiles-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~ProfileFiles() override {
    for (const std::string& f : written_) unlink(f.c_str());
    rmdir(dir_.c_str());
  }
  std::string file(const std::string& name, const std::string& text) {
    written_.push_back(dir_ + "/" + name);
    std::ofstream(written_.back()) << text;
    return written_.back();
  }
  // The error without the folder; "" if the profile is right.
  std::string error(const std::string& body, const std::string& name = "p.xml") {
    const std::string path = file(name, "<profile>\n" + body + "\n</profile>\n");
    try {
      Options o;
      load_profile(path, o);
    } catch (const StartError& e) {
      const std::string text = e.what();
      return text.starts_with(dir_) ? text.substr(dir_.size() + 1) : text;
    }
    return "";
  }
  std::string dir_;
  std::vector<std::string> written_;
};

TEST_F(ProfileFiles, EveryMistakeHasItsLine) {
  EXPECT_EQ(error("<syscalls>\n<call name='nonsense'/></syscalls>"),
            "p.xml:3: there is no system call or class 'nonsense'");
  EXPECT_EQ(error("<syscalls><call result='0'/></syscalls>"), "p.xml:2: <call> needs the attribute name");
  EXPECT_EQ(error("<syscalls>\n<call name='read' colour='x'/></syscalls>"),
            "p.xml:3: <call> has an unknown attribute 'colour'");
  EXPECT_EQ(error("<syscalls>\n<call name='read'/>\n<call name='read,write'/></syscalls>"),
            "p.xml:4: a second <call> for read");
  EXPECT_EQ(error("<syscalls/>\n<syscalls/>"), "p.xml:3: a second <syscalls> in <profile>");
  EXPECT_EQ(error("<syscalls><call name='read' result='0' result='1'/></syscalls>"),
            "p.xml:2: <call> has the attribute 'result' twice");
  EXPECT_EQ(error("<syscalls><call name='read'><when result='0'/></call></syscalls>"),
            "p.xml:2: <when> has no condition");
  EXPECT_EQ(error("<syscalls><call name='setsockopt'>\n<when optname='SO_LINGER'/></call></syscalls>"),
            "p.xml:3: optname needs a level beside it");
  EXPECT_EQ(error("<syscalls><call name='read' quirk='poll_timeout_in_us'/></syscalls>"),
            "p.xml:2: the quirk poll_timeout_in_us is not for read");
  EXPECT_EQ(error("<syscalls><call name='read' quirk='x'/></syscalls>"), "p.xml:2: there is no quirk 'x'");
  EXPECT_NE(
      error("<syscalls><call name='read' result='0' errors='EIO'/></syscalls>").find("nothing is emulated"),
      std::string::npos);
  EXPECT_EQ(error("<limits stak='1M'/>"), "p.xml:2: there is no limit 'stak'");
  EXPECT_EQ(error("<limits stack='big'/>"), "p.xml:2: stack: 'big' is not a size");
  EXPECT_EQ(error("<files><file path='proc'/></files>"), "p.xml:2: <file> needs an absolute path");
  EXPECT_EQ(error("<files><file path='/x' result='NO'/></files>"), "p.xml:2: 'NO' is not an errno's name");
  EXPECT_EQ(error("<files><file path='/x'/>\n<file path='/x'/></files>"), "p.xml:3: a second <file> for /x");
  EXPECT_EQ(error("<syscalls>text</syscalls>"), "p.xml:2: unexpected text in <syscalls>");
  EXPECT_EQ(error("<syscalls><!-- a comment is none --></syscalls>"), "");
}

TEST_F(ProfileFiles, ExtendsAnother) {
  file("base.xml",
       "<profile name='base'><machine cpus='3' release='9'/><limits nofile='7:8'/>"
       "<syscalls default='ENOSYS'><call name='read' result='1'/><call name='write' result='2'/></syscalls>"
       "<files><file path='/a' result='ENOENT'/><file path='/b' result='ENOENT'/></files></profile>");
  const std::string p = file("p.xml",
                             "<profile extends='base'><machine cpus='2'/>"
                             "<syscalls><call name='%desc' result='4'/><call name='write'/></syscalls>"
                             "<files><file path='/a'/></files></profile>");
  Options o;
  load_profile(p, o);
  EXPECT_EQ(o.profile->name, "p");
  EXPECT_EQ(o.cpus, 2);
  EXPECT_EQ(o.uts_names.release, "9");
  EXPECT_EQ(o.rlimits.cur(RLIMIT_NOFILE), 7u);
  EXPECT_EQ(o.profile->fallback.value, ENOSYS);
  EXPECT_EQ(o.profile->calls[SYS_read].otherwise.value, 4);    // by its class
  EXPECT_TRUE(o.profile->calls[SYS_write].otherwise.plain());  // its own row wins
  ASSERT_EQ(o.file_rules.size(), 1u);
  EXPECT_EQ(o.file_rules[0].path, "/b");
}

TEST_F(ProfileFiles, CannotExtendItselfOrNothing) {
  file("a.xml", "<profile extends='b.xml'/>");
  const std::string b = file("b.xml", "<profile extends='a.xml'/>");
  Options o;
  EXPECT_THROW(load_profile(b, o), StartError);
  const std::string c = file("c.xml", "<profile\n extends='nonsense'/>");
  try {
    load_profile(c, o);
    FAIL();
  } catch (const StartError& e) {
    EXPECT_NE(std::string(e.what()).find("c.xml:1: there is no profile 'nonsense'"), std::string::npos)
        << e.what();
  }
}

TEST(ProfileFolder, EveryProfileThatComesAlongIsRight) {
  for (const char* name : {"linux", "starry-2024", "starry-2024-enosys", "starry-zlm"}) {
    Options o;
    EXPECT_NO_THROW(load_profile(name, o)) << name;
    EXPECT_EQ(o.profile->name, name);
  }
}

}  // namespace
}  // namespace starry
