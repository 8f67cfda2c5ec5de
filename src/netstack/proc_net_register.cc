#include "netstack/proc_net.h"
#include "vfs/procfs/procfs.h"

namespace starry {

void netstack_register_proc() {
  for (const ProcNetEntry& e : proc_net_entries()) proc_net_register(e.name, e.show);
}

}  // namespace starry
