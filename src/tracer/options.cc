#include "tracer/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <climits>
#include <cstdio>
#include <filesystem>

#include "emulated_kernel/sched/sched_entity.h"
#include "tracer/config.h"
#include "tracer/start_error.h"

#ifndef STARRYRUN_VERSION
#define STARRYRUN_VERSION "0.1.0"
#endif

namespace starry {
namespace {

namespace fs = std::filesystem;

constexpr const char* DESCRIPTION =
    "Runs PROGRAM, an unmodified x86-64 Linux program, inside an emulated Linux kernel.\n"
    "The host's file tree is visible read-only; what the guest writes goes to a layer of its own.";

constexpr const char* FOOTER =
    "\nThe exit status is the guest's: its own, or 128 + the number of the signal that ended it.\n"
    "127: PROGRAM was not found; 126: it cannot be executed; 125: starryrun itself failed.\n"
    "\nExamples:\n"
    "  starryrun bash\n"
    "  starryrun -o log.strace -- ls -l /\n"
    "  starryrun --name zlm --publish 8554:554 ./MediaServer -d\n"
    "  starryctl exec zlm ps aux        (in another terminal)\n"
    "  starryctl cp zlm:/tmp/out.ts .";

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: starryrun [OPTIONS] [--] PROGRAM [ARG...]\n";
  }
};

template <class T>
bool parse_number(std::string_view text, T& out) {
  const char* end = text.data() + text.size();
  auto [p, ec] = std::from_chars(text.data(), end, out);
  return ec == std::errc() && p == end;
}

uint16_t parse_port(std::string_view text, const std::string& what) {
  unsigned v = 0;
  if (!parse_number(text, v) || v == 0 || v > 65535) start_error("{}: '{}' is not a port number", what, text);
  return static_cast<uint16_t>(v);
}

// [ADDR:]HOSTPORT:GUESTPORT[/udp|/tcp]; an IPv6 address is written in brackets.
Options::Publish parse_publish(const std::string& arg) {
  const std::string what = "--publish " + arg;
  Options::Publish p;
  std::string rest = arg;
  if (const size_t slash = rest.rfind('/'); slash != std::string::npos) {
    const std::string proto = rest.substr(slash + 1);
    if (proto != "tcp" && proto != "udp") start_error("{}: unknown protocol '{}'", what, proto);
    p.udp = proto == "udp";
    rest.resize(slash);
  }
  const size_t guest = rest.rfind(':');
  if (guest == std::string::npos) start_error("{}: expected [ADDR:]HOSTPORT:GUESTPORT[/udp]", what);
  p.guest_port = parse_port(std::string_view(rest).substr(guest + 1), what);
  rest.resize(guest);
  const size_t host = rest.rfind(':');
  p.host_port = parse_port(std::string_view(rest).substr(host == std::string::npos ? 0 : host + 1), what);
  if (host != std::string::npos) {
    p.addr = rest.substr(0, host);
    if (p.addr.size() > 2 && p.addr.front() == '[' && p.addr.back() == ']')
      p.addr = p.addr.substr(1, p.addr.size() - 2);
    else if (p.addr.find(':') != std::string::npos)
      start_error("{}: write an IPv6 address in brackets", what);
  }
  return p;
}

// HOST:GUEST[:ro]
Options::Bind parse_bind(const std::string& arg) {
  Options::Bind b;
  std::string rest = arg;
  if (rest.size() > 3 && rest.ends_with(":ro")) {
    b.read_only = true;
    rest.resize(rest.size() - 3);
  }
  const size_t colon = rest.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == rest.size())
    start_error("--bind {}: expected HOST:GUEST[:ro]", arg);
  b.guest = rest.substr(colon + 1);
  if (b.guest.front() != '/') start_error("--bind {}: the guest's path must be absolute", arg);
  std::error_code ec;
  b.host = fs::canonical(rest.substr(0, colon), ec);
  if (ec) start_error("--bind {}: {}: {}", arg, rest.substr(0, colon), ec.message());
  return b;
}

std::string absolute_directory(const std::string& path, const char* option) {
  std::error_code ec;
  const fs::path p = fs::canonical(path, ec);
  if (ec) start_error("{} {}: {}", option, path, ec.message());
  return p;
}

std::string default_name(const std::vector<std::string>& command) {
  std::string base = fs::path(command.front()).filename();
  for (char& c : base)
    if (isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_' && c != '-') c = '_';
  if (base.empty() || base.front() == '.' || base.front() == '-') base.insert(0, "_");
  base.resize(std::min<size_t>(base.size(), 40));
  return fmt::format("{}-{}", base, getpid());
}

void finish(Options& o, const std::vector<std::string>& binds, const std::vector<std::string>& publish) {
  if (o.root.empty()) start_error("--root needs a directory");
  std::error_code ec;
  if (fs::is_regular_file(o.root, ec))
    start_error("--root {}: images are not available in this version", o.root);
  o.root = absolute_directory(o.root, "--root");
  if (!fs::is_directory(o.root, ec)) start_error("--root {}: Not a directory", o.root);
  if (!o.workdir.empty() && o.workdir.front() != '/')
    start_error("--workdir {}: must be absolute", o.workdir);
  if (o.hostname.empty() || o.hostname.size() > 64) start_error("--hostname: 1 to 64 bytes are allowed");
  for (const std::string& b : binds) o.binds.push_back(parse_bind(b));
  for (const std::string& p : publish) o.publish.push_back(parse_publish(p));
  for (const std::string& e : o.env)
    if (e.find('=') == std::string::npos || e.front() == '=') start_error("--env {}: expected NAME=VALUE", e);
  if (o.name_given && !valid_instance_name(o.name))
    start_error("--name '{}': use up to 64 letters, digits, '.', '_' and '-'; the first not '.' or '-'",
                o.name);
  if (!o.name_given) o.name = default_name(o.command);
}

}  // namespace

uint64_t parse_size(const std::string& text, const std::string& what) {
  size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string::npos) digits = text.size();
  uint64_t value = 0;
  const std::string unit = text.substr(digits);
  static const std::string UNITS = "KMGT";
  int shift = 0;
  bool ok = parse_number(std::string_view(text).substr(0, digits), value) && value != 0;
  if (!unit.empty()) {
    const size_t u = UNITS.find(static_cast<char>(toupper(static_cast<unsigned char>(unit[0]))));
    ok =
        ok && u != std::string::npos && (unit.size() == 1 || unit.substr(1) == "iB" || unit.substr(1) == "B");
    shift = 10 * (static_cast<int>(u) + 1);
  }
  if (!ok || shift > 40 || value > (UINT64_MAX >> 1 >> shift))
    start_error("{}: '{}' is not a size", what, text);
  return value << shift;
}

void parse_user(const std::string& text, const std::string& what, Options& out) {
  const size_t colon = text.find(':');
  uint32_t uid = 0, gid = 0;
  bool ok = parse_number(std::string_view(text).substr(0, colon), uid);
  gid = uid;
  if (colon != std::string::npos) ok = ok && parse_number(std::string_view(text).substr(colon + 1), gid);
  if (!ok || uid == UINT32_MAX || gid == UINT32_MAX) start_error("{}: '{}' is not UID[:GID]", what, text);
  out.uid = uid;
  out.gid = gid;
}

int parse_cpus(const std::string& text, const std::string& what) {
  int n = 0;
  if (!parse_number(std::string_view(text), n) || n < 1 || n > MAX_CPUS)
    start_error("{}: '{}' is not a number from 1 to {}", what, text, MAX_CPUS);
  return n;
}

bool valid_instance_name(const std::string& name) {
  if (name.empty() || name.size() > 64 || name.front() == '.' || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; });
}

std::optional<Options> parse_options(int argc, const char* const* argv) {
  Options o;
  std::string profile, cpus, memory, user, hostname;
  std::vector<std::string> binds, publish, env;
  TraceArguments trace;

  CLI::App app{DESCRIPTION, "starryrun"};
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(FOOTER);
  app.set_version_flag("--version", "starryrun " STARRYRUN_VERSION);
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.prefix_command();

  const std::string files = "Files", machine = "Machine", instance = "Instance";
  app.add_option("--root", o.root, "Directory that the guest sees as / (default: the host's /)")
      ->type_name("DIR")
      ->group(files);
  app.add_option("--upper", o.upper,
                 "Directory that keeps what the guest writes (default: a new one under\n"
                 "$XDG_STATE_HOME/starryrun)")
      ->type_name("DIR")
      ->group(files);
  app.add_option("--bind", binds, "Show the host's HOST at GUEST")
      ->type_name("HOST:GUEST[:ro]")
      ->take_all()
      ->allow_extra_args(false)
      ->group(files);
  app.add_option("--workdir", o.workdir, "Directory that PROGRAM starts in")->type_name("DIR")->group(files);

  app.add_option("--env", env, "Add to the environment")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false)
      ->group(machine);
  app.add_option("--config", profile,
                 "Profile of the modelled machine and kernel: an XML file, or the\nname of one that comes "
                 "along, such as starry-2024")
      ->type_name("FILE|NAME")
      ->group(machine);
  app.add_option("--cpus", cpus, "Number of emulated CPUs")->type_name("N")->group(machine);
  app.add_option("--memory", memory, "Memory that the guest is told of")->type_name("SIZE")->group(machine);
  app.add_option("--hostname", hostname, "The guest's host name")->type_name("NAME")->group(machine);
  app.add_option("--user", user, "User and group of PROGRAM")->type_name("UID[:GID]")->group(machine);

  CLI::Option* name = app.add_option("--name", o.name, "Name for starryctl (default: PROGRAM and a number)")
                          ->type_name("NAME")
                          ->group(instance);
  app.add_option("-p,--publish", publish, "Let the host's programs reach a port of the guest")
      ->type_name("[ADDR:]HOSTPORT:GUESTPORT[/udp]")
      ->take_all()
      ->allow_extra_args(false)
      ->group(instance);
  int quiet = 0;
  app.add_flag(
         "-q", quiet,
         "No warnings about missing features, no summary at the end; twice: no exits in the log, as strace's")
      ->group(instance);

  app.add_option("--report", o.report_file,
                 "Write what the programs used of the kernel, and what was missing")
      ->type_name("FILE")
      ->group(instance);
  add_trace_options(app, trace);

  const std::string tests = "Test modes (slower, otherwise the same)";
  app.add_flag("--no-rewrite", o.no_rewrite, "Leave `syscall` instructions as they are; each traps")
      ->group(tests);

  app.add_flag("--no-stub-answers", o.no_stub_answers,
               "Ask the kernel also what the stub knows, such as getpid()")
      ->group(tests);
  app.add_flag("--no-spin", o.no_spin, "Sleep at once when waiting for the other side")->group(tests);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return std::nullopt;
  } catch (const CLI::CallForVersion&) {
    fmt::print("starryrun {}\n", STARRYRUN_VERSION);
    return std::nullopt;
  } catch (const CLI::ParseError& e) {
    start_error("{} (see starryrun --help)", e.what());
  }

  o.command = app.remaining();
  bool separated = false;
  if (!o.command.empty() && o.command.front() == "--") {
    o.command.erase(o.command.begin());
    separated = true;
  }
  if (!separated && !o.command.empty() && o.command.front().size() > 1 && o.command.front().front() == '-')
    start_error("unknown option {} (see starryrun --help)", o.command.front());
  if (o.command.empty()) start_error("no PROGRAM given (see starryrun --help)");

  if (getuid() != 0) {  // an ordinary user keeps the right to his own files
    o.uid = getuid();
    o.gid = getgid();
  }
  if (!profile.empty()) load_profile(profile, o);
  // The command line has the last word over the profile.
  if (!cpus.empty()) o.cpus = parse_cpus(cpus, "--cpus");
  if (!memory.empty()) o.memory = parse_size(memory, "--memory");
  if (!user.empty()) parse_user(user, "--user", o);
  if (!hostname.empty()) o.hostname = hostname;
  o.env.insert(o.env.end(), env.begin(), env.end());
  o.name_given = name->count() != 0;
  o.quiet = quiet > 0;
  // strace(1): -qq and -qqq are short for these.
  if (quiet > 1 && !(trace.file.empty() && trace.json.empty()))
    trace.expressions.insert(trace.expressions.begin(),
                             quiet == 2 ? "quiet=attach,personality,exit" : "quiet=all");
  o.trace = make_trace_setup(trace);
  finish(o, binds, publish);
  return o;
}

}  // namespace starry
