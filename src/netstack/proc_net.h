// Contents of the files below /proc/net (proc(5)).
#pragma once

#include <span>
#include <string>

namespace starry {

struct ProcNetEntry {
  const char* name;  // "tcp6"
  std::string (*show)();
};
// All of them. netstack_register_proc() hands them to procfs.
std::span<const ProcNetEntry> proc_net_entries();
// Once at boot, after init_procfs().
void netstack_register_proc();

}  // namespace starry
