// Files of /proc/sys that are not constants.
#include <fmt/format.h>
#include <linux/capability.h>

#include <cstdio>

#include "emulated_kernel/platform.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/ns_proxy.h"
#include "emulated_kernel/task/task.h"
#include "netstack/ports.h"
#include "vfs/procfs/generators.h"

namespace starry::proc {

namespace {

// A random (version 4) UUID.
std::string make_uuid() {
  uint8_t b[16];
  platform().entropy(b, sizeof b);
  b[6] = static_cast<uint8_t>((b[6] & 0x0f) | 0x40);
  b[8] = static_cast<uint8_t>((b[8] & 0x3f) | 0x80);
  std::string s;
  for (size_t i = 0; i < sizeof b; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) s += '-';
    s += fmt::format("{:02x}", b[i]);
  }
  return s;
}

UtsNames& own_uts_names() { return current().ns->uts->names(); }

Result<void> store_name(std::string& name, std::string_view text) {
  constexpr size_t UTS_LEN = 64;
  if (!current().cred->capable_in(current().ns->uts->user_ns(), CAP_SYS_ADMIN)) return Error{EPERM};
  name = text.substr(0, std::min(text.find_first_of(std::string_view("\n\0", 2)), UTS_LEN));
  return {};
}

}  // namespace

std::string boot_id() {
  static const std::string id = make_uuid();
  return id + "\n";
}
std::string random_uuid() { return make_uuid() + "\n"; }

std::string sys_hostname() { return own_uts_names().hostname + "\n"; }
std::string sys_domainname() { return own_uts_names().domainname + "\n"; }
std::string sys_osrelease() { return uts_names().release + "\n"; }
std::string sys_version() { return uts_names().version + "\n"; }
Result<void> store_hostname(std::string_view text) { return store_name(own_uts_names().hostname, text); }
Result<void> store_domainname(std::string_view text) { return store_name(own_uts_names().domainname, text); }

// fork.c, set_max_threads(): an eighth of the memory for kernel stacks.
std::string threads_max() { return fmt::format("{}\n", memory_totals().total / (8 * 16384)); }

std::string file_nr() {
  uint64_t open = 0;
  for_each_group([&](ThreadGroup& g) {
    if (g.leader() != nullptr && g.leader()->files)
      open += static_cast<uint64_t>(g.leader()->files->open_count());
  });
  return fmt::format("{}\t0\t9223372036854775807\n", open);
}

std::string local_port_range() {
  return fmt::format("{}\t{}\n", ephemeral_ports().first, ephemeral_ports().last);
}
Result<void> store_local_port_range(std::string_view text) {
  unsigned first = 0, last = 0;
  if (sscanf(std::string(text).c_str(), "%u %u", &first, &last) != 2) return Error{EINVAL};
  if (first < UNPRIVILEGED_PORT_START || last < first || last > UINT16_MAX) return Error{EINVAL};
  ephemeral_ports() = {static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
  return {};
}

}  // namespace starry::proc
