// Contents of the files below /proc/net (proc(5)).
#pragma once

#include <span>
#include <string>

namespace starry {

struct ProcNetEntry {
  const char* name;  // "tcp6"
  std::string (*show)();
};
std::span<const ProcNetEntry> proc_net_entries();
// Hands all of them to procfs.
void netstack_register_proc();

}  // namespace starry
