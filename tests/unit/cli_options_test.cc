// starryrun's command line, its profile and the frames of the control socket.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "emulated_kernel/trace/filter.h"
#include "tracer/control_protocol.h"
#include "tracer/options.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

Options parse(std::vector<const char*> args) {
  args.insert(args.begin(), "starryrun");
  return parse_options(static_cast<int>(args.size()), args.data()).value();
}

std::string refusal(std::vector<const char*> args) {
  try {
    parse(std::move(args));
  } catch (const StartError& e) {
    return e.what();
  }
  return "";
}

TEST(CommandLine, OptionsEndAtTheProgram) {
  const Options o = parse({"-q", "--cpus", "3", "ls", "-q", "--cpus", "x"});
  EXPECT_TRUE(o.quiet);
  EXPECT_EQ(o.cpus, 3);
  EXPECT_EQ(o.command, (std::vector<std::string>{"ls", "-q", "--cpus", "x"}));
  EXPECT_EQ(parse({"--", "-x", "y"}).command, (std::vector<std::string>{"-x", "y"}));
  EXPECT_EQ(parse({"echo", "--", "y"}).command, (std::vector<std::string>{"echo", "--", "y"}));
}

TEST(CommandLine, StraceLetters) {
  const Options o = parse({"-o", "f", "-e", "trace=open", "-e", "%file", "-s", "99", "-tt", "-T", "ls"});
  EXPECT_EQ(o.trace.file, "f");
  EXPECT_EQ(o.trace.options.calls, trace::parse_calls("%file"));  // the last one counts
  EXPECT_EQ(o.trace.options.string_limit, 99u);
  EXPECT_EQ(o.trace.options.stamp, TraceOptions::Stamp::CLOCK);
  EXPECT_EQ(o.trace.options.stamp_digits, 6);
  EXPECT_TRUE(o.trace.options.duration);
}

TEST(CommandLine, Values) {
  const Options o =
      parse({"--memory", "512M", "--user", "5:6", "--env", "A=1", "--env", "B=", "-p", "8554:554", "-p",
             "[::1]:53:5353/udp", "--bind", "/tmp:/mnt:ro", "--hostname", "h", "true"});
  EXPECT_EQ(o.memory, 512ULL << 20);
  EXPECT_EQ(o.uid, 5u);
  EXPECT_EQ(o.gid, 6u);
  EXPECT_EQ(o.env, (std::vector<std::string>{"A=1", "B="}));
  ASSERT_EQ(o.publish.size(), 2u);
  EXPECT_EQ(o.publish[0].host_port, 8554);
  EXPECT_EQ(o.publish[0].guest_port, 554);
  EXPECT_EQ(o.publish[1].addr, "::1");
  EXPECT_TRUE(o.publish[1].udp);
  ASSERT_EQ(o.binds.size(), 1u);
  EXPECT_EQ(o.binds[0].guest, "/mnt");
  EXPECT_TRUE(o.binds[0].read_only);
  EXPECT_TRUE(o.name.starts_with("true-"));
  EXPECT_FALSE(o.name_given);
}

TEST(CommandLine, RefusesWithTheCause) {
  EXPECT_NE(refusal({"--nonsense", "ls"}).find("--nonsense"), std::string::npos);
  EXPECT_NE(refusal({}).find("no PROGRAM"), std::string::npos);
  EXPECT_NE(refusal({"--root", "/no/such", "ls"}).find("/no/such"), std::string::npos);
  EXPECT_NE(refusal({"-p", "1:70000", "ls"}).find("70000"), std::string::npos);
  EXPECT_NE(refusal({"--name", "a/b", "ls"}).find("a/b"), std::string::npos);
  EXPECT_NE(refusal({"--memory", "5X", "ls"}).find("5X"), std::string::npos);
  EXPECT_NE(refusal({"--env", "=x", "ls"}).find("--env"), std::string::npos);
  EXPECT_NE(refusal({"-y", "ls"}).find("give its file with -o"), std::string::npos);
  EXPECT_NE(refusal({"-e", "inject=open:error=x", "ls"}).find("invalid inject argument"), std::string::npos);
  EXPECT_NE(refusal({"-o", "f", "-X", "x", "ls"}).find("-X"), std::string::npos);
  EXPECT_NE(refusal({"-c", "-S", "x", "ls"}).find("invalid sortby"), std::string::npos);
  EXPECT_NE(refusal({"-S", "time", "ls"}).find("-c or -C"), std::string::npos);
  EXPECT_NE(refusal({"-c", "-C", "ls"}).find("exclusive"), std::string::npos);
  EXPECT_NE(refusal({"-ff", "-o", "|cat", "ls"}).find("exclusive"), std::string::npos);
}

class Profile : public testing::Test {
 protected:
  std::string file(const std::string& text) {
    char name[] = "/tmp/starry-profile-XXXXXX";
    close(mkstemp(name));
    std::ofstream(name) << text;
    path_ = name;
    return name;
  }
  ~Profile() override { unlink(path_.c_str()); }
  std::string path_;
};

TEST_F(Profile, SetsWhatTheCommandLineDoesNot) {
  const std::string p = file(
      "<profile name=\"x\">\n <machine cpus=\"4\" memory=\"1G\" hostname=\"board\"/>\n"
      " <credentials uid=\"7\"/>\n <environment><set name=\"LANG\" "
      "value=\"C\"/></environment>\n</profile>\n");
  const Options o = parse({"--config", p.c_str(), "--cpus", "2", "ls"});
  EXPECT_EQ(o.cpus, 2);
  EXPECT_EQ(o.memory, 1ULL << 30);
  EXPECT_EQ(o.hostname, "board");
  EXPECT_EQ(o.uid, 7u);
  EXPECT_EQ(o.gid, 7u);
  EXPECT_EQ(o.env, std::vector<std::string>{"LANG=C"});
}

TEST_F(Profile, NamesTheLineOfAnError) {
  const std::string unknown = file("<profile>\n <machine/>\n <toaster/>\n</profile>\n");
  EXPECT_NE(refusal({"--config", unknown.c_str(), "ls"}).find(":3: unknown element <toaster>"),
            std::string::npos);
  unlink(unknown.c_str());
  const std::string broken = file("<profile>\n <machine>\n</profile>\n");
  EXPECT_NE(refusal({"--config", broken.c_str(), "ls"}).find(":3:"), std::string::npos);
}

TEST(ControlProtocol, FramesSurviveAnyCutAndBytes) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const std::string odd("\xff\0/x", 4);
  const std::string wire =
      control::encode({{"op", "exec"}, {"path", odd}}) + control::encode_data("file bytes");
  ASSERT_TRUE(control::send_all(ends[0], {wire.data(), 3}, std::vector<int>{0}));
  control::Parser parser;
  control::Frame f;
  EXPECT_EQ(parser.receive(ends[1], 0), 1);
  EXPECT_FALSE(parser.has_frame());
  EXPECT_FALSE(parser.next(f));
  ASSERT_TRUE(control::send_all(ends[0], {wire.data() + 3, wire.size() - 3}));
  ASSERT_TRUE(control::receive_frame(ends[1], parser, f));
  EXPECT_EQ(control::text(f.message, "path"), odd);
  EXPECT_EQ(f.fds.size(), 1u);
  EXPECT_TRUE(parser.has_frame());  // came along with the first
  ASSERT_TRUE(control::receive_frame(ends[1], parser, f));
  EXPECT_TRUE(f.is_data);
  EXPECT_EQ(f.data, "file bytes");
  EXPECT_FALSE(parser.has_frame());
  close(ends[0]);
  EXPECT_FALSE(control::receive_frame(ends[1], parser, f));
  EXPECT_FALSE(parser.bad());
  close(ends[1]);
}

TEST(ControlProtocol, GarbageIsNoFrame) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  ASSERT_TRUE(control::send_all(ends[0], "GET / HTTP/1.1\r\n"));
  control::Parser parser;
  control::Frame f;
  EXPECT_FALSE(control::receive_frame(ends[1], parser, f));
  EXPECT_TRUE(parser.bad());
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace starry
