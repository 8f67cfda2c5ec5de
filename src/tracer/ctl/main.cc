// starryctl: ps, exec, cp, kill and trace for running instances of starryrun.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "tracer/ctl/client.h"
#include "tracer/start_error.h"

namespace {

int run(int argc, char** argv) {
  using namespace starry;
  CLI::App app{"Looks after running instances of starryrun", "starryctl"};
  app.require_subcommand(1);
  app.footer(
      "\nExamples:\n  starryctl ps\n  starryctl exec zlm bash\n  starryctl cp zlm:/tmp/out.ts .\n"
      "  starryctl kill zlm INT\n  starryctl trace zlm -o zlm.strace -e %network");
  int status = 0;

  CLI::App* ps = app.add_subcommand("ps", "List the instances and the processes in them");
  ps->callback([&] { status = ctl::ps(); });

  ctl::ExecOptions exec;
  CLI::App* ex = app.add_subcommand("exec", "Run a command in an instance, on this terminal");
  ex->add_option("-u,--user", exec.user, "User and group of the command (default: the first process's)")
      ->type_name("UID[:GID]");
  ex->add_option("-w,--workdir", exec.workdir, "Directory to start in (default: this one, if it is there)")
      ->type_name("DIR");
  ex->add_option("-e,--env", exec.env, "Add to the environment")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  ex->prefix_command();
  ex->footer("The arguments are: NAME COMMAND [ARG...]. The exit status is the command's.");

  std::string name, signal = "TERM";
  CLI::App* kill = app.add_subcommand("kill", "Send a signal to an instance: its first process's group");
  kill->add_option("NAME", name)->required();
  kill->add_option("SIGNAL", signal, "Name or number; KILL ends all of its processes")->capture_default_str();
  kill->callback([&] { status = ctl::kill(name, signal); });

  ctl::TraceCommand trace;
  CLI::App* tr = app.add_subcommand("trace", "Change an instance's log of system calls");
  tr->add_option("NAME", trace.instance)->required();
  tr->add_option("on|off", trace.power, "Log, or stop logging")->type_name("");
  tr->add_option("-e", trace.expressions, "What to log or to inject, as starryrun -e")
      ->type_name("EXPR")
      ->take_all()
      ->allow_extra_args(false);
  tr->add_option("-o", trace.file, "Log to FILE from now on")->type_name("FILE");
  tr->footer("Without a change it says what is logged.");
  tr->callback([&] { status = ctl::trace(trace); });

  std::string from, to;
  CLI::App* cp = app.add_subcommand("cp", "Copy files or directories out of or into an instance");
  cp->add_option("SOURCE", from, "NAME:PATH or a path of the host")->required();
  cp->add_option("DEST", to, "a path of the host or NAME:PATH")->required();
  cp->callback([&] { status = ctl::copy(from, to); });

  try {
    app.parse(argc, argv);
    if (ex->parsed()) {
      std::vector<std::string> rest = ex->remaining();
      if (!rest.empty() && rest.front() == "--") rest.erase(rest.begin());
      if (!rest.empty() && rest.front().starts_with("-"))
        start_error("exec: unknown option {}", rest.front());
      if (rest.size() < 2) start_error("exec needs NAME and COMMAND (see starryctl exec --help)");
      exec.instance = rest.front();
      exec.command.assign(rest.begin() + 1, rest.end());
      if (exec.command.front() == "--" && exec.command.size() > 1) exec.command.erase(exec.command.begin());
      status = ctl::exec(exec);
    }
  } catch (const CLI::Success& e) {  // --help
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    start_error("{} (see starryctl --help)", e.what());
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const starry::ctl::Failed& e) {
    fmt::print(stderr, "starryctl: {}\n", e.text);
    return e.status;
  } catch (const std::exception& e) {
    fmt::print(stderr, "starryctl: {}\n", e.what());
    return starry::EXIT_STARRYRUN_FAILED;
  }
}
