#include <fmt/format.h>

#include <charconv>
#include <csignal>
#include <cstring>

#include "tracer/ctl/client.h"
#include "tracer/instance.h"
#include "tracer/start_error.h"

namespace starry::ctl {
namespace {

int signal_number(std::string text) {
  int n = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec == std::errc() && end == text.data() + text.size() && n >= 1 && n <= 64) return n;
  for (char& c : text) c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
  if (text.starts_with("SIG")) text.erase(0, 3);
  for (int s = 1; s < SIGRTMIN; ++s)
    if (const char* name = sigabbrev_np(s); name != nullptr && text == name) return s;
  start_error("'{}' is not a signal", text);
}

void print_instance(const Message& m) {
  fmt::print("{}  (starryrun {})\n", control::text(m, "name"), control::number(m, "pid"));
  fmt::print("  {:>7} {:>7} {:>6} {:>4} {} {:>9}  {}\n", "PID", "PPID", "UID", "THR", "S", "CPU", "COMMAND");
  for (const Message& p : m.value("processes", Message::array())) {
    const int64_t ms = control::number(p, "cpu_ms");
    fmt::print("  {:>7} {:>7} {:>6} {:>4} {} {:>6}.{:02}  {}\n", control::number(p, "pid"),
               control::number(p, "ppid"), control::number(p, "uid"), control::number(p, "threads"),
               control::text(p, "state"), ms / 1000, ms % 1000 / 10, control::text(p, "command"));
  }
}

}  // namespace

int ps() {
  bool any = false;
  for (const std::string& name : instance_names()) {
    if (!alive(name)) continue;
    try {
      Client client(name);
      client.send({{"op", "ps"}});
      print_instance(client.receive().message);
      any = true;
    } catch (const StartError&) {
      // It ended just now.
    }
  }
  if (!any) fmt::print("no instance is running\n");
  return 0;
}

int kill(const std::string& instance, const std::string& signal) {
  const int signo = signal_number(signal);
  Client client(instance);
  client.send({{"op", "kill"}, {"signal", signo}});
  client.receive();
  return 0;
}

}  // namespace starry::ctl
