#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <cstdio>
#include <cstring>
#include <deque>
#include <semaphore>
#include <thread>

#include "emulated_kernel/entry/fibers.h"
#include "emulated_kernel/mm/mm.h"
#include "emulated_kernel/task/cred.h"
#include "tracer/guest_process.h"

extern "C" const char stub_image_start[], stub_image_end[];

namespace starry {

using namespace chan;

struct ProcessPool::Impl {
  // Makes the first process, and lives as long as that: a process dies with the thread that is its parent
  // (PR_SET_PDEATHSIG), which is also the parent of its forks.
  std::thread maker;
  std::binary_semaphore tried{0}, stopping{0};
  bool made = false;
  std::string why;
  int stub_fd = -1;
  std::bitset<NSIG> ignored;  // signals that an exec would leave ignored

  // Of the kernel thread, once the maker has tried.
  Mutex forking;
  GuestThread::Forked first;
  std::deque<GuestThread::Forked> ready;
  // Those that have come back; the last one's memory is still in the caches. `emptying`: not there yet.
  struct Used {
    GuestThread::Forked it;
    Ref<const Cred> owner;
  };
  std::vector<Used> used;
  size_t emptying = 0;
  size_t keep = 1;
  bool in_use = false, filling = false;

  bool open_stub();
  int spawn(int socket, int channels);
  bool make(GuestThread::Forked* out);
  Result<GuestThread::Forked> fork_first();
  GuestThread::Forked take_used(const Cred& cred);
  void fill();
};

bool ProcessPool::Impl::open_stub() {
  stub_fd = memfd_create("starry-stub", MFD_CLOEXEC);
  size_t n = static_cast<size_t>(stub_image_end - stub_image_start);
  return stub_fd >= 0 && write(stub_fd, stub_image_start, n) == static_cast<ssize_t>(n);
}

// In the vfork child only async-signal-safe calls; the parent waits.
int ProcessPool::Impl::spawn(int socket, int channels) {
  int info = ChannelTable::instance().info_fd();
  int stub = stub_fd;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pid = vfork();
  if (pid == 0) {
    // Handlers end with the exec, and until the stub unblocks its signals none can run.
    struct sigaction dfl = {};
    dfl.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; ++s)
      if (ignored[static_cast<size_t>(s)]) sigaction(s, &dfl, nullptr);
    // Deterministic addresses where the host allows it (a container may not).
    personality(ADDR_NO_RANDOMIZE);
    setpgid(0, 0);  // a terminal's Ctrl-C is for the emulated terminal, not for these
    // None of the three is below 3: main() fills 0, 1 and 2 first.
    dup2(socket, FD_SOCKET);
    dup2(channels, FD_CHANNELS);
    dup2(info, FD_INFO);
    int image = fcntl(stub, F_DUPFD_CLOEXEC, 3);
    syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
    char name[] = "starry-guest";
    char* argv[] = {name, nullptr};
    char* envp[] = {nullptr};
    syscall(SYS_execveat, image, "", argv, envp, AT_EMPTY_PATH);
    _exit(127);
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return pid;
}

static bool is_trampolines(const Hello& hello, uint64_t start) {
  for (size_t i = 0; i < std::size(TRAMPOLINE_AREAS); ++i)
    if ((hello.trampolines >> i & 1) != 0 && TRAMPOLINE_AREAS[i].start == start) return true;
  return false;
}

// Which of the new process's maps the guest keeps (vdso, vvar), and which must go.
static bool sort_maps(int pid, const Hello& hello, std::vector<Platform::FixedMap>* fixed, Unmap* unmap) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  FILE* f = fopen(path, "re");
  if (f == nullptr) return false;
  char line[512];
  *unmap = {};
  while (fgets(line, sizeof line, f) != nullptr) {
    unsigned long start, end;
    char perms[8], name[256] = "";
    if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, perms, name) < 3) continue;
    if (start >= AREAS_ADDR && start < CHANNELS_ADDR + MAX_SLOTS * CHANNEL_SIZE) continue;
    if (strcmp(name, "[vsyscall]") == 0 || is_trampolines(hello, start)) continue;
    if (strcmp(name, "[vdso]") == 0 || strncmp(name, "[vvar", 5) == 0) {
      int prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
      fixed->push_back({start, end, name, prot});
    } else if (unmap->count < 16) {
      unmap->range[unmap->count++] = {start, end - start};
    }
  }
  fclose(f);
  return true;
}

// What the host must offer besides (see make()), as one line; empty if it does.
static std::string missing_on_host() {
  utsname host{};
  int major = 0, minor = 0;
  if (uname(&host) == 0 && sscanf(host.release, "%d.%d", &major, &minor) == 2 &&
      (major < 5 || (major == 5 && minor < 15)))
    return std::string("Linux 5.15 or later is needed, this is ") + host.release;
  // Without a filter this is EFAULT where filters are allowed.
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, nullptr) == 0 || errno != EFAULT)
    return std::string("the host does not allow seccomp filters: ") + strerror(errno);
  return {};
}

// Whether we may read and write another process's memory (ptrace(2), "Ptrace access mode checking").
static bool reachable(GuestProcess& p) {
  uint64_t word = 0;
  return p.peek(STUB_ADDR, &word, sizeof word).ok() &&
         p.poke(STUB_ADDR - sizeof word, &word, sizeof word).ok();  // unused, behind Area
}

bool ProcessPool::Impl::make(GuestThread::Forked* out) {
  ChannelMemory channels = ChannelMemory::make();
  int pair[2] = {-1, -1};
  if (!channels || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    why = std::string("cannot make a channel: ") + strerror(errno);
    return false;
  }
  const int channels_fd = channels.fd();
  auto process = make_ref<GuestProcess>(OwnedFd(pair[0]), std::move(channels), nullptr);
  process->take_slot(0);
  int pid = spawn(pair[1], channels_fd);
  int error = errno;
  close(pair[1]);
  if (pid < 0) {
    why = std::string("cannot make a guest process: ") + strerror(error);
    return false;
  }
  Hello hello;
  Unmap unmap;
  // It may be gone and reaped already.
  if (!process->set_pid(pid) || recv(pair[0], &hello, sizeof hello, 0) != sizeof hello ||
      !sort_maps(pid, hello, &process->fixed, &unmap)) {
    why = "a guest process does not start (does the host allow programs in a memfd?)";
    return false;
  }
  if (!reachable(*process)) {
    why = std::string("the host does not let us reach the memory of a guest process: ") + strerror(errno);
    return false;
  }
  process->rewriter.set_stub(hello.fast_entry, hello.trampolines);
  auto thread = std::make_unique<GuestThread>(process, 0);
  thread->set_host_tid(pid);
  if (!thread->attached() || send(pair[0], &unmap, sizeof unmap, MSG_NOSIGNAL) != sizeof unmap) {
    why = "a guest process died while it started";
    return false;
  }
  *out = {std::move(process), std::move(thread)};
  return true;
}

Result<GuestThread::Forked> ProcessPool::Impl::fork_first() {
  MutexGuard guard(forking);
  if ((!first.first || first.first->ended()) && !make(&first)) return Error{EAGAIN};
  return first.second->fork_process();
}

void ProcessPool::Impl::fill() {
  if (filling) return;
  filling = true;
  kthread_run([this] {
    while (ready.size() < keep) {
      auto f = fork_first();
      if (!f.ok()) break;
      ready.push_back(std::move(f).value());
    }
    filling = false;
  });
}

// Everything but the stub with its areas and channels, the trampolines and what the host put there.
static std::vector<HostOp> what_to_empty(const GuestProcess& p, const Rewriter& before) {
  struct Kept {
    uint64_t start, end;
  };
  std::vector<Kept> kept{{AREAS_ADDR, CHANNELS_ADDR + MAX_SLOTS * CHANNEL_SIZE},
                         {GUEST_TASK_SIZE, GUEST_TASK_SIZE}};
  std::vector<HostOp> ops;
  for (size_t i = 0; i < std::size(TRAMPOLINE_AREAS); ++i) {
    const TrampolineArea& a = TRAMPOLINE_AREAS[i];
    if (!before.has_area(i)) continue;
    kept.push_back({a.start, a.start + a.size});
    if (before.uses(i)) ops.push_back({SYS_madvise, {a.start, a.size, MADV_DONTNEED}});
  }
  for (const Platform::FixedMap& f : p.fixed) kept.push_back({f.start, f.end});
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.start < b.start; });
  uint64_t at = 0;
  for (const Kept& k : kept) {
    if (k.start > at) ops.push_back({SYS_munmap, {at, k.start - at}});
    at = k.end;
  }
  return ops;
}

ProcessPool& ProcessPool::instance() {
  static ProcessPool pool;
  return pool;
}

Result<void> ProcessPool::start(int ready, std::string* why) {
  *why = missing_on_host();
  if (!why->empty()) return Error{ENOSYS};
  impl_ = new Impl;
  impl_->keep = static_cast<size_t>(ready);
  if (!impl_->open_stub()) {
    *why = std::string("cannot create the stub image: ") + strerror(errno);
    return Error{ENOMEM};
  }
  impl_->ignored.set(SIGPIPE);
  for (int s = 1; s < NSIG; ++s) {
    struct sigaction old;
    if (sigaction(s, nullptr, &old) == 0 && old.sa_handler == SIG_IGN)
      impl_->ignored.set(static_cast<size_t>(s));
  }
  impl_->maker = std::thread([this] {
    prctl(PR_SET_NAME, "starry-pool");
    impl_->made = impl_->make(&impl_->first);
    impl_->tried.release();
    impl_->stopping.acquire();
  });
  return {};
}

Result<void> ProcessPool::await(std::string* why) {
  impl_->tried.acquire();
  if (impl_->made) return {};
  *why = impl_->why;
  return Error{EAGAIN};
}

GuestThread::Forked ProcessPool::Impl::take_used(const Cred& cred) {
  std::erase_if(used, [](const Used& u) { return u.it.first->ended(); });
  const auto at =
      std::find_if(used.rbegin(), used.rend(), [&](const Used& u) { return u.owner->same_as(cred); });
  if (at == used.rend()) return {};
  GuestThread::Forked f = std::move(at->it);
  used.erase(std::next(at).base());
  return f;
}

bool ProcessPool::wants_back() const {
  constexpr size_t MOST = 4;
  return impl_->used.size() + impl_->emptying < MOST;
}

void ProcessPool::take_back(GuestProcess& process, Carrier carrier, Ref<const Cred> owner) {
  auto p = make_ref<GuestProcess>(process);
  auto ops = what_to_empty(*p, process.rewriter);
  auto t =
      std::make_shared<std::unique_ptr<GuestThread>>(std::make_unique<GuestThread>(p, std::move(carrier)));
  ++impl_->emptying;
  kthread_run([pool = impl_, p, t, ops, owner] {
    if ((*t)->empty_space(ops).ok()) pool->used.push_back({{p, std::move(*t)}, owner});
    --pool->emptying;
  });
}

Result<GuestThread::Forked> ProcessPool::take(const Cred& cred) {
  GuestThread::Forked f = impl_->take_used(cred);
  while (!f.first && !impl_->ready.empty()) {
    if (!impl_->ready.front().first->ended()) f = std::move(impl_->ready.front());
    impl_->ready.pop_front();
  }
  if (!f.first) f = TRY(impl_->fork_first());
  // Many runs need one process only.
  if (std::exchange(impl_->in_use, true)) impl_->fill();
  return f;
}

void ProcessPool::stop() {
  if (impl_ == nullptr) return;
  if (!impl_->maker.joinable()) return;
  impl_->stopping.release();
  impl_->maker.join();
  impl_->ready.clear();
  impl_->used.clear();
  impl_->first = {};
}

}  // namespace starry
