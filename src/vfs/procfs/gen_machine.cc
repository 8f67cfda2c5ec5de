// The machine: processors, memory, interrupts, devices.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "emulated_kernel/fd/locks.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/system_info.h"
#include "emulated_kernel/task/pid_table.h"
#include "vfs/procfs/generators.h"
#include "vfs/procfs/memory_summary.h"

namespace starry::proc {

namespace {

// For machines whose own description is unknown.
constexpr std::string_view PLAIN_CPU =
    "processor\t: 0\nvendor_id\t: unknown\ncpu family\t: 6\nmodel\t\t: 0\nmodel name\t: x86-64\n"
    "stepping\t: 0\ncpu MHz\t\t: 1000.000\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\n"
    "cpu cores\t: 1\napicid\t\t: 0\ninitial apicid\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\n"
    "cpuid level\t: 13\nwp\t\t: yes\nflags\t\t: fpu tsc msr cx8 cmov mmx fxsr sse sse2 syscall nx lm\n"
    "bogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n"
    "address sizes\t: 46 bits physical, 48 bits virtual\npower management:\n";

// One line of the host's description as the emulated processor `cpu` of `cpus` has it: one socket,
// a core for each processor.
std::string cpu_line(std::string_view line, int cpu, int cpus) {
  const size_t colon = line.find(": ");
  if (colon == line.npos) return std::string(line) + "\n";
  const std::string_view key = line.substr(0, line.find('\t'));
  const std::string_view left = line.substr(0, colon);
  if (key == "processor" || key == "core id" || key == "apicid" || key == "initial apicid")
    return fmt::format("{}: {}\n", left, cpu);
  if (key == "siblings" || key == "cpu cores") return fmt::format("{}: {}\n", left, cpus);
  if (key == "physical id") return fmt::format("{}: 0\n", left);
  return std::string(line) + "\n";
}

uint64_t ticks(uint64_t ns) { return ns / 10'000'000; }

}  // namespace

std::string cpuinfo() {
  const std::string host = platform().host_cpuinfo();
  const std::string_view block = host.empty() ? PLAIN_CPU : std::string_view(host);
  const int cpus = scheduler().cpu_count();
  std::string s;
  for (int cpu = 0; cpu < cpus; cpu++) {
    for (size_t at = 0; at < block.size();) {
      const size_t end = std::min(block.find('\n', at), block.size());
      if (end > at) s += cpu_line(block.substr(at, end - at), cpu, cpus);
      at = end + 1;
    }
    s += '\n';
  }
  return s;
}

std::string meminfo() {
  const MemoryTotals m = memory_totals();
  uint64_t anon = 0, mapped = 0, shmem = 0, tables = 0, committed = 0, locked = 0;
  for_each_group([&](ThreadGroup& g) {
    if (g.leader() == nullptr || !g.leader()->mm) return;
    const MemorySummary p = summarize(*g.leader()->mm);
    anon += p.resident_anon;
    mapped += p.resident_file;
    shmem += p.resident_shmem;
    tables += p.page_tables;
    committed += p.data + p.stack;
    locked += p.locked;
  });
  const uint64_t cached = m.cached / 1024, buffers = m.buffers / 1024;
  std::string s;
  const auto row = [&s](std::string_view name, uint64_t kb) {
    s += fmt::format("{:<15} {:8} kB\n", std::string(name) + ":", kb);
  };
  const auto count = [&s](std::string_view name, uint64_t n) {
    s += fmt::format("{:<15} {:8}\n", std::string(name) + ":", n);
  };
  row("MemTotal", m.total / 1024);
  row("MemFree", m.free / 1024);
  row("MemAvailable", m.available / 1024);
  row("Buffers", buffers);
  row("Cached", cached);
  row("SwapCached", 0);
  row("Active", anon + cached / 2);
  row("Inactive", cached - cached / 2);
  row("Active(anon)", anon);
  row("Inactive(anon)", 0);
  row("Active(file)", cached / 2);
  row("Inactive(file)", cached - cached / 2);
  row("Unevictable", locked);
  row("Mlocked", locked);
  row("SwapTotal", 0);
  row("SwapFree", 0);
  row("Dirty", 0);
  row("Writeback", 0);
  row("AnonPages", anon);
  row("Mapped", mapped);
  row("Shmem", shmem);
  row("KReclaimable", 0);
  row("Slab", 0);
  row("SReclaimable", 0);
  row("SUnreclaim", 0);
  row("KernelStack", static_cast<uint64_t>(thread_count()) * 16);
  row("PageTables", tables);
  row("SecPageTables", 0);
  row("NFS_Unstable", 0);
  row("Bounce", 0);
  row("WritebackTmp", 0);
  row("CommitLimit", m.total / 2048);
  row("Committed_AS", committed);
  row("VmallocTotal", 34359738367);
  row("VmallocUsed", 0);
  row("VmallocChunk", 0);
  row("Percpu", static_cast<uint64_t>(scheduler().cpu_count()) * 256);
  row("HardwareCorrupted", 0);
  row("AnonHugePages", 0);
  row("ShmemHugePages", 0);
  row("ShmemPmdMapped", 0);
  row("FileHugePages", 0);
  row("FilePmdMapped", 0);
  for (const char* pages : {"HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"})
    count(pages, 0);
  row("Hugepagesize", 2048);
  row("Hugetlb", 0);
  row("DirectMap4k", 0);
  row("DirectMap2M", m.total / 1024);
  return s;
}

std::string system_stat() {
  const uint64_t now = platform().monotonic_ns();
  const int cpus = scheduler().cpu_count();
  std::string lines;
  uint64_t all_busy = 0, all_idle = 0;
  const auto line = [](const std::string& name, uint64_t busy, uint64_t idle) {
    return fmt::format("{} {} 0 0 {} 0 0 0 0 0 0\n", name, ticks(busy), ticks(idle));
  };
  for (int cpu = 0; cpu < cpus; cpu++) {
    const uint64_t busy = scheduler().busy_ns(cpu, now), idle = scheduler().idle_ns(cpu, now);
    all_busy += busy;
    all_idle += idle;
    lines += line(fmt::format("cpu{}", cpu), busy, idle);
  }
  const TaskTotals totals = task_totals();
  uint64_t switches = totals.switches_of_gone;
  for_each_group([&](ThreadGroup& g) {
    switches += g.voluntary_switches;
    for (const Task* t : g.threads) switches += t->se.nvcsw + t->se.nivcsw;
  });
  const uint64_t boot = (platform().realtime_ns() - platform().boottime_ns()) / 1'000'000'000;
  return line("cpu ", all_busy, all_idle) + lines +
         fmt::format(
             "intr 0\nctxt {}\nbtime {}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\n"
             "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
             switches, boot, totals.made, scheduler().nr_running());
}

std::string uptime() {
  const uint64_t now = platform().monotonic_ns();
  uint64_t idle = 0;
  for (int cpu = 0; cpu < scheduler().cpu_count(); cpu++) idle += scheduler().idle_ns(cpu, now);
  const auto seconds = [](uint64_t ns) {
    return fmt::format("{}.{:02}", ns / 1'000'000'000, ns / 10'000'000 % 100);
  };
  return seconds(platform().boottime_ns()) + " " + seconds(idle) + "\n";
}

std::string loadavg() {
  std::string s;
  for (const uint64_t avg : load_averages()) {
    // Rounded to hundredths: LOAD_INT() and LOAD_FRAC() of avg + FIXED_1 / 200.
    const uint64_t rounded = avg + 2048 / 200;
    s += fmt::format("{}.{:02} ", rounded >> 11, (rounded & 2047) * 100 >> 11);
  }
  return s + fmt::format("{}/{} {}\n", scheduler().nr_running(), thread_count(), task_totals().last_pid);
}

std::string version() {
  const UtsNames& names = uts_names();
  return fmt::format("Linux version {} (starryrun@localhost) (gcc {}) {}\n", names.release, __VERSION__,
                     names.version);
}

std::string boot_cmdline() {
  return fmt::format("BOOT_IMAGE=/boot/vmlinuz-{} root=/dev/root ro quiet\n", uts_names().release);
}

std::string vmstat() {
  const MemoryTotals m = memory_totals();
  std::string s = fmt::format("nr_free_pages {}\nnr_file_pages {}\n", m.free / 4096, m.cached / 4096);
  for (const char* name : {"nr_dirty", "nr_writeback", "pgpgin", "pgpgout", "pswpin", "pswpout", "pgfree",
                           "pgfault", "pgmajfault", "oom_kill"})
    s += fmt::format("{} 0\n", name);
  return s;
}

std::string buddyinfo() {
  const uint64_t blocks = memory_totals().free / (4096ULL << 10);
  return fmt::format("Node 0, zone   Normal {:6} {:6} {:6} {:6} {:6} {:6} {:6} {:6} {:6} {:6} {:6} \n", 0, 0,
                     0, 0, 0, 0, 0, 0, 0, 0, blocks);
}

namespace {

std::string cpu_header(size_t indent) {
  std::string s(indent, ' ');
  for (int cpu = 0; cpu < scheduler().cpu_count(); cpu++) s += fmt::format("CPU{:<8}", cpu);
  return s + "\n";
}

}  // namespace

// The emulated machine has no interrupts.
std::string interrupts() { return cpu_header(11) + " ERR:          0\n MIS:          0\n"; }

std::string softirqs() {
  std::string s = cpu_header(20);
  for (const char* kind :
       {"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"}) {
    s += fmt::format("{:>12}:", kind);
    for (int cpu = 0; cpu < scheduler().cpu_count(); cpu++) s += fmt::format(" {:10}", 0);
    s += '\n';
  }
  return s;
}

std::string devices() {
  return "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n128 ptm\n136 pts\n"
         "\nBlock devices:\n";
}

std::string tty_drivers() {
  return "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
         "/dev/console         /dev/console    5       1 system:console\n"
         "/dev/ptmx            /dev/ptmx       5       2 system\n"
         "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"
         "pty_master           /dev/ptm      128 0-1048575 pty:master\n";
}

std::string partitions() { return "major minor  #blocks  name\n\n"; }
std::string swaps() { return "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"; }
std::string cgroups() { return "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"; }

std::string locks() {
  std::string s;
  int number = 0;
  FileLocks::for_each([&](const FileLocks::Row& r) {
    const pid_t pid = r.pid > 0 ? PidView::number(r.pid) : r.pid;
    if (pid == 0) return;  // somebody that cannot be seen
    s += fmt::format("{}: {:<6} ADVISORY  {} {} {:02x}:{:02x}:{} {} {}\n", ++number, r.kind,
                     r.type == F_WRLCK ? "WRITE" : "READ ", pid, major(r.dev), minor(r.dev), r.ino, r.start,
                     r.end == INT64_MAX ? "EOF" : std::to_string(r.end));
  });
  return s;
}

}  // namespace starry::proc
