#include <array>
#include <string>

#include "emulated_kernel/signal/rules.h"
#include "emulated_kernel/signal/signal.h"

namespace starry {

const char* signal_name(int signo) {
  static constexpr std::array<const char*, FIRST_RT_SIGNAL> STANDARD = {
      "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
      "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
      "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
      "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS"};
  // strace's names: SIGRTMIN is SIGRT_0 = 32.
  static const std::array<std::string, SIG_COUNT - FIRST_RT_SIGNAL + 1> REAL_TIME = [] {
    std::array<std::string, SIG_COUNT - FIRST_RT_SIGNAL + 1> names;
    for (size_t i = 0; i < names.size(); ++i) names[i] = i == 0 ? "SIGRTMIN" : "SIGRT_" + std::to_string(i);
    return names;
  }();
  if (signo >= 0 && signo < FIRST_RT_SIGNAL) return STANDARD[static_cast<size_t>(signo)];
  if (signo <= SIG_COUNT && signo > 0) return REAL_TIME[static_cast<size_t>(signo - FIRST_RT_SIGNAL)].c_str();
  return "SIG_?";
}

}  // namespace starry
