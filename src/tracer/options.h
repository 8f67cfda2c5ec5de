// The command line of starryrun, parsed and checked.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/rlimits.h"
#include "tracer/trace_setup.h"
#include "vfs/file_rules.h"

namespace starry {

namespace profile {
struct Profile;
}

struct Options {
  struct Bind {
    std::string host, guest;  // both absolute
    bool read_only = false;
  };
  struct Publish {
    std::string addr;  // host address to listen on; empty: loopback, both families
    uint16_t host_port = 0, guest_port = 0;
    bool udp = false;
  };

  // What the guest's file tree is made of.
  std::string root = "/";  // lower layer, absolute
  std::string upper;       // writable layer; empty: a new one in the state directory
  std::vector<Bind> binds;
  std::string workdir;  // in the guest; empty: the host's current directory if the guest has it

  // The machine and the first process.
  int cpus = 0;         // 0: as many as the host lets us use
  uint64_t memory = 0;  // bytes; 0: the host's
  std::string hostname = "starry";
  uint32_t uid = 1000, gid = 1000;
  UtsNames uts_names{.release = "6.1.0"};  // its host name is not used
  Rlimits rlimits;
  std::shared_ptr<profile::Profile> profile;  // what the kernel lacks; null: nothing
  std::vector<FileRule> file_rules;
  std::vector<std::string> env;  // K=V, on top of the host's environment
  std::vector<std::string> command;

  // The instance.
  std::string name;         // never empty after parsing
  bool name_given = false;  // by --name: must then be free
  std::vector<Publish> publish;

  std::string report_file;  // --report; "" = none
  TraceSetup trace;    // the log of system calls
  bool quiet = false;  // -q

  // Test modes: how it works without one of the things that make it fast.
  bool no_rewrite = false, no_stub_answers = false, no_spin = false;
};

// Parses argv. Throws StartError on anything wrong. Returns nothing when --help or --version was
// answered on stdout.
std::optional<Options> parse_options(int argc, const char* const* argv);

// Parts that the profile (config.h) shares with the command line. They throw StartError naming `what`.
uint64_t parse_size(const std::string& text, const std::string& what);            // "512M"
void parse_user(const std::string& text, const std::string& what, Options& out);  // "UID[:GID]"
int parse_cpus(const std::string& text, const std::string& what);

// True for a name that can be part of a path and of a socket's address.
bool valid_instance_name(const std::string& name);

}  // namespace starry
