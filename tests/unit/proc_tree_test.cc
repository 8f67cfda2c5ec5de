// procfs and sysfs over made-up processes: who is there, what they show, to whom.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/kernel.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/sched/scheduler.h"
#include "emulated_kernel/task/pid_table.h"
#include "unit/fiber_world.h"
#include "vfs/dentry.h"
#include "vfs/procfs/procfs.h"
#include "vfs/pseudo.h"
#include "vfs/sysfs/sysfs.h"

namespace starry {
namespace {

constexpr uint64_t BASE = 0x10000;

// An address space that holds one string, at BASE.
class StringSpace final : public HostSpace {
 public:
  explicit StringSpace(std::string text) : text_(std::move(text)) {}
  Result<size_t> peek(uint64_t addr, void* dst, size_t n) override {
    if (addr < BASE || addr >= BASE + text_.size()) return Error{EFAULT};
    n = std::min(n, BASE + text_.size() - addr);
    std::memcpy(dst, text_.data() + (addr - BASE), n);
    return n;
  }
  Result<size_t> poke(uint64_t, const void*, size_t) override { return Error{EFAULT}; }
  int host_pid() const override { return 1; }

 private:
  std::string text_;
};

std::string str(const char* bytes, size_t n) { return {bytes, n}; }

class ProcTree : public ::testing::Test {
 protected:
  ProcTree() {
    set_platform(&clock);
    KernelConfig config;
    config.cpus = 20;
    config.memory_bytes = 1ULL << 30;
    kernel_ = std::make_unique<Kernel>(config);
  }
  ~ProcTree() override {
    set_current(nullptr);
    while (!made_.empty()) end(made_.back());
  }

  Task& process(pid_t pid, const char* name, uint32_t uid = 1000) {
    Ref<ThreadGroup> g = make_ref<ThreadGroup>(pid);
    g->pgid = pid;
    g->session = make_ref<Session>(pid);
    g->signals.handlers = make_ref<SigHandlers>();
    groups_.push_back(g);
    register_group(*g);
    return thread(pid, *g, name, uid);
  }
  Task& thread(pid_t tid, ThreadGroup& g, const char* name, uint32_t uid = 1000) {
    Ref<Task> t = make_ref<Task>(tid, Ref<ThreadGroup>(&g));
    std::strncpy(t->comm.data(), name, 15);
    Ref<Cred> cred = make_ref<Cred>();
    cred->uid = cred->euid = cred->suid = cred->fsuid = uid;
    cred->gid = cred->egid = cred->sgid = cred->fsgid = uid;
    t->cred = cred;
    t->files = make_ref<FdTable>();
    scheduler().init_task(t->se);
    register_task(t);
    made_.push_back(t);
    return *t;
  }
  void end(Ref<Task> t) {
    std::erase(made_, t);
    if (t->group->leader() == t.get()) unregister_group(*t->group);
    unregister_task(*t);
  }

  static Result<Ref<Inode>> find(Ref<Inode> at, std::string_view path) {
    while (!path.empty()) {
      const std::string_view name = path.substr(0, path.find('/'));
      at = TRY(at->lookup(name));
      path.remove_prefix(std::min(path.size(), name.size() + 1));
    }
    return at;
  }
  static std::string show(const Ref<Inode>& root, std::string_view path) {
    Result<Ref<Inode>> inode = find(root, path);
    if (!inode.ok()) return "error " + std::to_string(inode.code());
    if (inode.value()->is_symlink()) return inode.value()->readlink().value();
    Result<std::string> text = static_cast<TextFile&>(*inode.value()).show();
    return text.ok() ? text.value() : "error " + std::to_string(text.code());
  }
  static std::string proc(std::string_view path) { return show(procfs_root(), path); }
  static std::string sys(std::string_view path) { return show(sysfs_root(), path); }
  static int store(std::string_view path, std::string_view text) {
    return static_cast<TextFile&>(*find(procfs_root(), path).value()).store(text).code();
  }
  static bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
  }

  ManualClock clock;
  std::unique_ptr<Kernel> kernel_;
  std::vector<Ref<ThreadGroup>> groups_;
  std::vector<Ref<Task>> made_;
};

TEST_F(ProcTree, ListsLiveProcesses) {
  process(100, "one");
  Task& two = process(200, "two");
  thread(201, *two.group, "worker");
  std::vector<std::string> pids;
  for (const DirEntry& e : procfs_root()->list().value()) {
    if (isdigit(e.name[0])) pids.push_back(e.name);
  }
  EXPECT_EQ(pids, (std::vector<std::string>{"1", "100", "200"}));
  EXPECT_EQ(proc("201/comm"), "worker\n") << "threads can be looked up though they are not listed";
  EXPECT_EQ(proc("200/task/201/comm"), "worker\n");
  EXPECT_EQ(proc("100/task/201/comm"), "error 2") << "a thread of another process";
  EXPECT_EQ(proc("300/comm"), "error 2");
  EXPECT_EQ(proc("0100/comm"), "error 2");
  EXPECT_EQ(proc("200/task/201/task"), "error 2") << "task/ is only in the process's directory";
}

TEST_F(ProcTree, InodesDieWithTheProcess) {
  Task& t = process(100, "first");
  const Ref<Inode> comm = find(procfs_root(), "100/comm").value();
  EXPECT_TRUE(comm->revalidate());
  clock.now += 1;
  end(Ref<Task>(&t));
  EXPECT_FALSE(comm->revalidate());
  EXPECT_EQ(static_cast<TextFile&>(*comm).show().code(), ESRCH);
  Task& again = process(100, "second");
  again.start_time_ns = clock.now;
  EXPECT_FALSE(comm->revalidate()) << "another process with the same number";
}

TEST_F(ProcTree, NamesOfProcessesAreCachedOnlyWhileInUse) {
  const auto root = Dentry::make_root(procfs_root());
  process(100, "first");
  Ref<Dentry> status = root->lookup("100").value()->lookup("status").value();
  ASSERT_FALSE(status->negative());
  EXPECT_EQ(root->lookup("100").value()->lookup("status").value(), status);
  EXPECT_NE(root->cached("100"), nullptr);
  EXPECT_EQ(root->cached("100")->cached("nonsense"), nullptr);
  EXPECT_TRUE(root->lookup("100").value()->lookup("nonsense").value()->negative());
  EXPECT_EQ(root->cached("100")->cached("nonsense"), nullptr);
  status = nullptr;
  EXPECT_EQ(root->cached("100"), nullptr) << "else one would stay for every process that looked at itself";
  root->lookup("uptime").value();
  EXPECT_NE(root->cached("uptime"), nullptr);
}

TEST_F(ProcTree, SelfIsTheCaller) {
  Task& leader = process(100, "main");
  Task& worker = thread(105, *leader.group, "worker");
  set_current(&worker);
  EXPECT_EQ(proc("self"), "100");
  EXPECT_EQ(proc("thread-self"), "100/task/105");
}

TEST_F(ProcTree, Status) {
  Task& t = process(100, "back\\slash\nname");
  thread(101, *t.group, "worker");
  t.se.affinity.reset();
  t.se.affinity.set(3).set(4).set(19).set(700);
  t.sig.blocked = sigbit(10);
  t.group->signals.handlers->actions[0].handler = 0x4000;
  t.group->signals.handlers->actions[1].handler = 1;
  t.no_new_privs = true;
  set_current(&t);
  const std::string s = proc("100/status");
  for (const char* line :
       {"Name:\tback\\\\slash\\nname", "Tgid:\t100", "Pid:\t100", "Uid:\t1000\t1000\t1000\t1000",
        "Threads:\t2", "SigBlk:\t0000000000000200", "SigCgt:\t0000000000000001", "SigIgn:\t0000000000000002",
        "NoNewPrivs:\t1", "Cpus_allowed:\t80018", "Cpus_allowed_list:\t3-4,19", "CapBnd:\t000001ffffffffff",
        "Groups:\t ", "Mems_allowed_list:\t0"})
    EXPECT_TRUE(has_line(s, line)) << line << "\nin:\n" << s;
  EXPECT_EQ(s.find("VmSize"), s.npos) << "no memory: no memory lines";
}

TEST_F(ProcTree, StatHas52Fields) {
  Task& t = process(100, "a) name (b");
  set_current(&t);
  const std::string s = proc("100/stat");
  EXPECT_TRUE(s.starts_with("100 (a) name (b) S ")) << s;
  EXPECT_EQ(2 + std::count(s.begin() + static_cast<long>(s.rfind(')')), s.end(), ' '), 52);
}

TEST_F(ProcTree, CommandLine) {
  Task& t = process(100, "prog");
  set_current(&t);
  EXPECT_EQ(proc("100/cmdline"), "");
  const std::string args = str("prog\0-x\0", 8), env = str("A=1\0B=2\0", 8);
  t.mm = make_ref<Mm>(make_ref<StringSpace>(args + env));
  t.mm->arg_start = BASE;
  t.mm->arg_end = t.mm->env_start = BASE + args.size();
  t.mm->env_end = BASE + args.size() + env.size();
  EXPECT_EQ(proc("100/cmdline"), args);
  EXPECT_EQ(proc("100/environ"), env);
  // setproctitle(3): a longer title runs over the end of the arguments.
  t.mm->space = make_ref<StringSpace>(str("a longer title\0=2\0", 17));
  EXPECT_EQ(proc("100/cmdline"), "a longer title");
}

TEST_F(ProcTree, Maps) {
  Task& t = process(100, "prog");
  set_current(&t);
  t.mm = make_ref<Mm>(make_ref<StringSpace>(""));
  Vma heap;
  heap.start = 0x555555560000, heap.end = 0x555555562000;
  heap.prot = PROT_READ | PROT_WRITE, heap.flags = MAP_PRIVATE, heap.name = "[heap]";
  t.mm->adopt(heap);
  Vma low = heap;
  low.start = 0x10000, low.end = 0x20000, low.prot = PROT_NONE, low.name = "";
  t.mm->adopt(low);
  EXPECT_EQ(proc("100/maps"),
            "00010000-00020000 ---p 00000000 00:00 0 \n"
            "555555560000-555555562000 rw-p 00000000 00:00 0                          [heap]\n");
  EXPECT_TRUE(has_line(proc("100/smaps"), "Size:                  8 kB"));
}

TEST_F(ProcTree, OwnershipAndPermission) {
  Task& ours = process(100, "ours");
  process(200, "theirs", 2000);
  Task& quiet = process(300, "quiet");
  quiet.group->dumpable = false;
  set_current(&ours);
  const Ref<Inode> root = procfs_root();
  EXPECT_EQ(find(root, "200/status").value()->stat()->uid, 2000U);
  EXPECT_EQ(find(root, "300/status").value()->stat()->uid, 0U) << "not dumpable: root's";
  EXPECT_EQ(find(root, "300").value()->stat()->uid, 1000U);
  EXPECT_EQ(find(root, "100/environ").value()->permission(*ours.cred, MAY_READ).code(), 0);
  EXPECT_EQ(find(root, "200/environ").value()->permission(*ours.cred, MAY_READ).code(), EACCES);
  EXPECT_EQ(find(root, "200/maps").value()->permission(*ours.cred, MAY_READ).code(), 0);
  EXPECT_EQ(find(root, "200/maps").value()->open(Path(), 0).code(), EACCES) << "checked when opened";
  EXPECT_EQ(find(root, "300/maps").value()->open(Path(), 0).code(), EACCES);
}

TEST_F(ProcTree, Writing) {
  Task& t = process(100, "old");
  Task& other = process(200, "other");
  set_current(&t);
  EXPECT_EQ(store("100/comm", "a name that is too long\n"), 0);
  EXPECT_EQ(t.name(), "a name that is ");
  EXPECT_EQ(store("200/comm", "x"), EINVAL) << "threads of the same process only";
  EXPECT_EQ(other.name(), "other");
  EXPECT_EQ(store("100/oom_score_adj", "300\n"), 0);
  EXPECT_EQ(store("100/oom_score_adj", "-1\n"), EACCES);
  EXPECT_EQ(store("100/oom_score_adj", "1001\n"), EINVAL);
  EXPECT_EQ(proc("100/oom_score_adj"), "300\n");
  EXPECT_EQ(store("100/stat", "x"), EINVAL);
  EXPECT_EQ(store("sys/kernel/hostname", "new"), EPERM);
}

TEST_F(ProcTree, MachineHasTheConfiguredCpus) {
  const std::string cpuinfo = proc("cpuinfo");
  EXPECT_TRUE(has_line(cpuinfo, "processor\t: 19"));
  EXPECT_FALSE(has_line(cpuinfo, "processor\t: 20"));
  EXPECT_TRUE(has_line(cpuinfo, "siblings\t: 20"));
  const std::string stat = proc("stat");
  EXPECT_EQ(stat.find("cpu20 "), stat.npos);
  EXPECT_NE(stat.find("\ncpu19 "), stat.npos);
  EXPECT_EQ(sys("devices/system/cpu/online"), "0-19\n");
  EXPECT_EQ(sys("devices/system/cpu/cpu19/topology/thread_siblings"), "80000\n");
  EXPECT_EQ(sys("devices/system/cpu/cpu20"), "error 2");
  EXPECT_EQ(sys("devices/system/node/node0/cpumap"), "fffff\n");
  EXPECT_TRUE(has_line(proc("meminfo"), "MemTotal:        1048576 kB"));
}

TEST_F(ProcTree, RegisteredFiles) {
  Task& t = process(100, "p");
  set_current(&t);
  proc_net_register("tcp_test", [] { return "made by the network\n"; });
  EXPECT_EQ(proc("100/net/tcp_test"), "made by the network\n");
  EXPECT_EQ(proc("net"), "self/net");
  proc_register("sysvipc/test", 0444, [] { return "made by IPC\n"; });
  EXPECT_EQ(proc("sysvipc/test"), "made by IPC\n");
  EXPECT_EQ(proc("sys/vm/overcommit_memory"), "0\n");
}

}  // namespace
}  // namespace starry
