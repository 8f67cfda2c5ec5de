#include "vfs/sysfs/sysfs.h"

#include <fmt/format.h>
#include <linux/magic.h>

#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/system_info.h"
#include "vfs/procfs/format.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/tree.h"

namespace starry {

namespace {

constexpr int64_t FILE_SIZE = 4096;  // st_size of every attribute

std::string cpu_list() {
  const int cpus = scheduler().cpu_count();
  return proc::list_text(proc::first_cpus(cpus), cpus) + "\n";
}

std::string cpu_kernel_max() { return fmt::format("{}\n", nr_cpus_for(scheduler().cpu_count()) - 1); }

std::string cpu_mask() {
  const int cpus = scheduler().cpu_count();
  return proc::mask_text(proc::first_cpus(cpus), cpus) + "\n";
}

// The rows of /proc/meminfo that Linux keeps per node, and two under other names.
std::string node_meminfo() {
  static constexpr std::string_view ROWS[] = {
      "MemTotal",       "MemFree",       "MemUsed",        "SwapCached",      "Active",
      "Inactive",       "Active(anon)",  "Inactive(anon)", "Active(file)",    "Inactive(file)",
      "Unevictable",    "Mlocked",       "Dirty",          "Writeback",       "FilePages",
      "Mapped",         "AnonPages",     "Shmem",          "KernelStack",     "PageTables",
      "SecPageTables",  "NFS_Unstable",  "Bounce",         "WritebackTmp",    "KReclaimable",
      "Slab",           "SReclaimable",  "SUnreclaim",     "AnonHugePages",   "ShmemHugePages",
      "ShmemPmdMapped", "FileHugePages", "FilePmdMapped",  "HugePages_Total", "HugePages_Free",
      "HugePages_Surp"};
  const MemoryTotals m = memory_totals();
  const std::string machine =
      "\n" + proc::meminfo() +
      fmt::format("MemUsed: {} kB\nFilePages: {} kB\n", (m.total - m.free) / 1024, m.cached / 1024);
  std::string s;
  for (const std::string_view name : ROWS) {
    const std::string head = std::string(name) + ":";
    const size_t at = machine.find("\n" + head);
    if (at == std::string::npos) continue;
    const size_t value = machine.find_first_not_of(' ', at + 1 + head.size());
    const size_t unit = std::min(machine.find(' ', value), machine.find('\n', value));
    const bool pages = name.starts_with("HugePages_");  // a number of pages, in columns of its own
    s += fmt::format("Node 0 {:<{}} {:>{}}{}\n", head, pages ? 16 : 15, machine.substr(value, unit - value),
                     pages ? 5 : 8, machine.substr(unit, machine.find('\n', unit) - unit));
  }
  return s;
}

void add_text(const Ref<PseudoDir>& root, std::string_view path, uint32_t perm, TreeShow show) {
  tree_add_text(root, path, perm, std::move(show))->attr.size = FILE_SIZE;
}

// One socket, every CPU a core of its own.
void add_cpu(const Ref<PseudoDir>& root, int cpu, int cpus) {
  const std::string name = fmt::format("cpu{}", cpu);
  const std::string dir = "devices/system/cpu/" + name + "/";
  const auto value = [&](std::string_view file, std::string text) {
    add_text(root, dir + std::string(file), 0444, [text] { return text + "\n"; });
  };
  CpuMask self;
  self.set(static_cast<size_t>(cpu));
  const CpuMask all = proc::first_cpus(cpus);
  if (cpu > 0) value("online", "1");
  value("topology/core_id", std::to_string(cpu));
  value("topology/die_id", "0");
  value("topology/physical_package_id", "0");
  for (const char* file : {"thread_siblings", "core_cpus"}) {
    value(std::string("topology/") + file, proc::mask_text(self, cpus));
    value(std::string("topology/") + file + "_list", proc::list_text(self, cpus));
  }
  for (const char* file : {"core_siblings", "package_cpus", "die_cpus"}) {
    value(std::string("topology/") + file, proc::mask_text(all, cpus));
    value(std::string("topology/") + file + "_list", proc::list_text(all, cpus));
  }
  tree_add_link(root, dir + "node0", "../../node/node0");
  tree_add_link(root, "devices/system/node/node0/" + name, "../../cpu/" + name);
}

void add_interface_counters(const Ref<PseudoDir>& root) {
  for (const char* name : {"collisions", "multicast", "rx_bytes", "rx_dropped", "rx_errors", "rx_packets",
                           "tx_bytes", "tx_dropped", "tx_errors", "tx_packets"})
    add_text(root, std::string("devices/virtual/net/lo/statistics/") + name, 0444, [] { return "0\n"; });
}

// Everybody may look into directories, and root could write there.
void open_directories(PseudoDir& dir) {
  const auto entries = dir.list();
  if (!entries.ok()) return;
  for (const DirEntry& e : entries.value())
    if (const auto inode = dir.lookup(e.name); inode.ok())
      if (auto* sub = dynamic_cast<PseudoDir*>(inode.value().get())) {
        sub->attr.mode = S_IFDIR | 0755;
        open_directories(*sub);
      }
}

Ref<PseudoDir> build_sys_root() {
  const Ref<PseudoDir> root = make_ref<PseudoDir>(make_ref<SuperBlock>("sysfs", SYSFS_MAGIC), 0555);
#define SYS_VALUE(path, text) add_text(root, path, 0444, [] { return std::string(text); });
#define SYS_TEXT(path, show) add_text(root, path, 0444, show);
#define SYS_LINK(path, text) tree_add_link(root, path, text);
#define SYS_DIR(path) tree_add_dir(root, path);
#include "vfs/sysfs/entries.def"
#undef SYS_VALUE
#undef SYS_TEXT
#undef SYS_LINK
#undef SYS_DIR
  const int cpus = scheduler().cpu_count();
  for (int cpu = 0; cpu < cpus; cpu++) add_cpu(root, cpu, cpus);
  add_interface_counters(root);
  open_directories(*root);
  return root;
}

// The one instance of sysfs, shared by all its mounts.
const Ref<PseudoDir>& sys_root() {
  static const Ref<PseudoDir> root = build_sys_root();
  return root;
}

}  // namespace

Ref<Inode> sysfs_root() { return sys_root(); }

void init_sysfs() {
  register_filesystem(
      {.name = "sysfs", .mount = [](const MountArgs&) -> Result<Ref<Inode>> { return sysfs_root(); }});
}

void sys_register(std::string_view path, uint32_t perm, std::function<std::string()> show) {
  add_text(sys_root(), path, perm, std::move(show));
}

}  // namespace starry
