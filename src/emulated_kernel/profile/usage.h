// What programs use of the kernel (starryrun --report): per process the calls with their errors, the
// flags, codes and options seen in arguments, and the files of /proc, /sys and /dev. While it is off
// nothing is counted and nothing is asked: the jump table is as it was.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace starry {

struct UseCount {
  uint64_t count = 0;
  std::map<std::string, uint64_t> errors;  // by name: "ENOENT"
  bool unknown = false;                    // a value or bit without a name
};

struct CallUse {
  UseCount total;
  bool missing = false;                                              // the kernel does not have it
  std::map<std::string, std::map<std::string, UseCount>> arguments;  // argument -> "O_CLOEXEC", "0x40"
};

struct ProcessUse {
  pid_t pid = 0;
  std::string name, exe;  // at the last call
  std::map<std::string, CallUse> calls;
  std::map<std::string, std::map<std::string, UseCount>> files;  // path -> call
};

// Counts from now on. Before the first guest runs, after profile::install().
void usage_start();
// By pid. References stay valid.
const std::map<pid_t, ProcessUse>& usage();

}  // namespace starry
