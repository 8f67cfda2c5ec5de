// nsfs: namespaces as open files (/proc/PID/ns/*, namespaces(7), ioctl_ns(2)).
#pragma once

#include <span>
#include <string_view>

#include "emulated_kernel/fd/file.h"
#include "emulated_kernel/task/namespace.h"

namespace starry {

class Task;

struct NamespaceKind {
  std::string_view link, name;  // of the link in /proc/PID/ns, and in its text
  int type;                     // CLONE_NEW*
  bool for_children;            // not the task's own one
  // Null once the task has ended.
  Ref<Namespace> (*of)(const Task& t);
};
// In the order in which setns(2) enters several of them.
extern const std::span<const NamespaceKind> NAMESPACE_KINDS;

// "uts:[4026531838]"
std::string namespace_text(const Namespace& n);
Ref<File> open_namespace(Ref<Namespace> n, int flags);
// The namespace that an open file is; null: it is something else.
Ref<Namespace> namespace_of_file(const File& f);

}  // namespace starry
