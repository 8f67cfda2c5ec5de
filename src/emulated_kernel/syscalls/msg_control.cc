#include "emulated_kernel/syscalls/msg_control.h"

#include <sys/socket.h>

#include <algorithm>

#include "emulated_kernel/fd/fget.h"

namespace starry {

namespace {

constexpr size_t CONTROL_MAX = 20480;  // net.core.optmem_max
constexpr size_t SCM_MAX_FD_NR = 253;
constexpr int CAP_SETGID_NR = 6, CAP_SETUID_NR = 7, CAP_SYS_ADMIN_NR = 21;
constexpr size_t HEADER = CMSG_ALIGN(sizeof(cmsghdr));

// scm_fp_copy()
Result<void> take_files(Task& t, std::span<const uint8_t> data, SendMsg* out) {
  const size_t count = data.size() / sizeof(int);
  if (out->files.size() + count > SCM_MAX_FD_NR) return Error{EINVAL};
  for (size_t i = 0; i < count; i++) {
    int fd;
    std::memcpy(&fd, &data[i * sizeof fd], sizeof fd);
    File* f = t.file(fd);
    if (f == nullptr) return Error{EBADF};
    out->files.emplace_back(f);
  }
  return {};
}

// scm_check_creds(): nobody poses as somebody else without the capability.
Result<void> take_creds(Task& t, std::span<const uint8_t> data, SendMsg* out) {
  if (data.size() != sizeof(ScmCreds)) return Error{EINVAL};
  ScmCreds c;
  std::memcpy(&c, data.data(), sizeof c);
  const Cred& me = *t.cred;
  const bool own_pid = c.pid == t.group->own_tgid;
  c.pid = t.kernel_pid(c.pid), c.uid = me.user_ns->kuid(c.uid), c.gid = me.user_ns->kgid(c.gid);
  if (c.uid == NO_ID || c.gid == NO_ID) return Error{EINVAL};
  const bool pid_ok = own_pid || me.capable_in(t.group->pid_ns->user_ns(), CAP_SYS_ADMIN_NR);
  const bool uid_ok =
      c.uid == me.uid || c.uid == me.euid || c.uid == me.suid || me.capable_here(CAP_SETUID_NR);
  const bool gid_ok =
      c.gid == me.gid || c.gid == me.egid || c.gid == me.sgid || me.capable_here(CAP_SETGID_NR);
  if (!pid_ok || !uid_ok || !gid_ok) return Error{EPERM};
  if (c.pid == 0) return Error{ESRCH};
  out->creds = c;
  return {};
}

}  // namespace

Result<void> read_control(Task& t, const Socket& s, UserAddr addr, uint64_t len, SendMsg* out) {
  if (addr == 0 || len == 0) return {};
  if (len > CONTROL_MAX) return Error{ENOBUFS};
  std::vector<uint8_t> buf(len);
  TRY(t.mem().read(addr, buf.data(), len));
  size_t at = 0;
  while (at + sizeof(cmsghdr) <= len) {
    cmsghdr h;
    std::memcpy(&h, &buf[at], sizeof h);
    if (h.cmsg_len < sizeof h || h.cmsg_len > len - at) return Error{EINVAL};
    const std::span<const uint8_t> data(&buf[at] + HEADER, h.cmsg_len - HEADER);
    const bool scm =
        h.cmsg_level == SOL_SOCKET && (h.cmsg_type == SCM_RIGHTS || h.cmsg_type == SCM_CREDENTIALS);
    if (scm && s.family() == AF_UNIX) {
      TRY(h.cmsg_type == SCM_RIGHTS ? take_files(t, data, out) : take_creds(t, data, out));
    } else if (h.cmsg_level == SOL_SOCKET && !scm) {
      return Error{EINVAL};
    } else if (!scm) {
      out->control.push_back({h.cmsg_level, h.cmsg_type, {data.begin(), data.end()}});
    }
    at += CMSG_ALIGN(h.cmsg_len);
  }
  return {};
}

namespace {

// put_cmsg(): writes one message at the front of the room that is left.
class ControlWriter {
 public:
  ControlWriter(Task& t, UserAddr addr, uint64_t len, RecvMsg* m)
      : t_(t), addr_(addr), left_(addr == 0 ? 0 : len), m_(m) {}

  Result<void> put(int level, int type, std::span<const uint8_t> data) {
    if (left_ < sizeof(cmsghdr)) {
      m_->out_flags |= MSG_CTRUNC;
      return {};
    }
    size_t n = HEADER + data.size();
    if (n > left_) {
      m_->out_flags |= MSG_CTRUNC;
      n = left_;
    }
    std::vector<uint8_t> bytes(n);
    cmsghdr h{};
    h.cmsg_len = n;
    h.cmsg_level = level;
    h.cmsg_type = type;
    std::memcpy(bytes.data(), &h, sizeof h);
    if (n > HEADER) std::memcpy(&bytes[HEADER], data.data(), n - HEADER);
    TRY(t_.mem().write(addr_, bytes.data(), n));
    const size_t space = std::min<size_t>(CMSG_ALIGN(n), left_);
    addr_ += space;
    left_ -= space;
    used_ += space;
    return {};
  }

  // scm_detach_fds(): as many descriptors as there is room for.
  Result<void> put_files(bool cloexec) {
    const size_t room = left_ > HEADER ? (left_ - HEADER) / sizeof(int) : 0;
    std::vector<int> fds;
    for (const Ref<File>& f : m_->files) {
      if (fds.size() == room) break;
      const auto fd = t_.files->install(f, cloexec, t_.rlimit(RLIMIT_NOFILE));
      if (!fd.ok()) break;
      fds.push_back(fd.value());
    }
    if (fds.size() < m_->files.size()) m_->out_flags |= MSG_CTRUNC;
    if (fds.empty()) return {};
    auto r =
        put(SOL_SOCKET, SCM_RIGHTS, {reinterpret_cast<const uint8_t*>(fds.data()), fds.size() * sizeof(int)});
    if (!r.ok())
      for (int fd : fds) t_.files->remove(fd);
    return r;
  }

  uint64_t used() const { return used_; }

 private:
  Task& t_;
  UserAddr addr_;
  uint64_t left_, used_ = 0;
  RecvMsg* m_;
};

}  // namespace

Result<uint64_t> write_control(Task& t, UserAddr addr, uint64_t len, unsigned recv_flags, RecvMsg* m) {
  ControlWriter w(t, addr, len, m);
  for (const ControlItem& c : m->control) TRY(w.put(c.level, c.type, c.data));
  if (!m->files.empty()) TRY(w.put_files((recv_flags & MSG_CMSG_CLOEXEC) != 0));
  return w.used();
}

}  // namespace starry
