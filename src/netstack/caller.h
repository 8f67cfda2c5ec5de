// What the netstack asks about the task on whose behalf it works. The only place where sockets look at
// tasks; unit tests have their own implementation.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "vfs/path.h"

namespace starry {

class Namespace;
class NetNamespace;  // netstack/net_namespace.h
class UnixBinding;

struct NetCaller {
  pid_t pid = 0;  // thread group
  uint32_t uid = 0, gid = 0;
  uint32_t euid = 0, egid = 0;
};
NetCaller net_caller();
// CAP_* of capabilities(7) over what belongs to `over`, or to the whole system.
bool net_capable(int cap, const Namespace& over);
bool net_capable(int cap);
const Ref<NetNamespace>& caller_net();
// Ids as they are shown to the caller, whose namespaces may have others.
uint32_t caller_sees_uid(uint32_t uid);
uint32_t caller_sees_gid(uint32_t gid);
pid_t caller_sees_pid(pid_t pid);
void raise_sigpipe();
// AF_UNIX names in the file system; see vfs_bind_unix() and vfs_find_unix().
Result<Path> caller_bind_unix(std::string_view path, uint32_t mode, UnixBinding* owner);
Result<UnixBinding*> caller_find_unix(std::string_view path);
void caller_unbind_unix(const Path& p);

}  // namespace starry
