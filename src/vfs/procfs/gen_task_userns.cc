// /proc/PID/uid_map and its relatives (user_namespaces(7)).
#include "emulated_kernel/task/task.h"
#include "vfs/procfs/generators.h"
#include "vfs/pseudo.h"

namespace starry::proc {

namespace {

std::string show_map(const Task& t, IdKind kind) {
  return show_id_map(*t.cred->user_ns, kind, *current().cred);
}

// Maps are written through the credentials of one of many; the namespace is the same for all.
Result<void> store_map(const Task& t, IdKind kind, std::string_view text) {
  return write_id_map(const_cast<UserNamespace&>(*t.cred->user_ns), kind, TextFile::opened_by(),
                      *current().cred, text);
}

}  // namespace

std::string task_uid_map(Task& t) { return show_map(t, IdKind::uid); }
std::string task_gid_map(Task& t) { return show_map(t, IdKind::gid); }
std::string task_projid_map(Task& t) { return show_map(t, IdKind::projid); }
Result<void> store_uid_map(Task& t, std::string_view text) { return store_map(t, IdKind::uid, text); }
Result<void> store_gid_map(Task& t, std::string_view text) { return store_map(t, IdKind::gid, text); }
Result<void> store_projid_map(Task& t, std::string_view text) { return store_map(t, IdKind::projid, text); }

std::string task_setgroups(Task& t) { return t.cred->user_ns->setgroups_allowed ? "allow\n" : "deny\n"; }
Result<void> store_setgroups(Task& t, std::string_view text) {
  return write_setgroups(const_cast<UserNamespace&>(*t.cred->user_ns), TextFile::opened_by(), text);
}

}  // namespace starry::proc
