#include "vfs/file_rules.h"

#include <algorithm>
#include <string_view>

#include "vfs/dentry.h"
#include "vfs/mount.h"
#include "vfs/pseudo.h"
#include "vfs/vfs.h"

namespace starry {
namespace {

std::vector<FileRule> rules;

// Another file in the place of `original`.
class AlteredFile final : public TextFile {
 public:
  AlteredFile(Ref<Inode> original, const FileRule& rule)
      : TextFile(Ref<SuperBlock>(&original->sb()), original->attr.mode & 07777, nullptr),
        original_(std::move(original)),
        rule_(rule) {}
  Result<Kstat> stat() override {
    Kstat st = TRY(original_->stat());
    st.size = rule_.size ? *rule_.size : rule_.content->size();
    return st;
  }
  Result<Kstat> ownership() override { return original_->ownership(); }
  Result<std::string> show() override {
    if (rule_.content) return *rule_.content;
    return static_cast<TextFile&>(*original_).show();  // checked in alter()
  }

 private:
  const Ref<Inode> original_;
  const FileRule& rule_;
};

// Compares component by component.
bool fits(std::string_view pattern, std::string_view name) {
  for (;;) {
    const size_t p = pattern.find('/'), n = name.find('/');
    const std::string_view want = pattern.substr(0, p);
    if (want != "*" && want != name.substr(0, n)) return false;
    if (p == pattern.npos || n == name.npos) return p == n;
    pattern.remove_prefix(p + 1);
    name.remove_prefix(n + 1);
  }
}

std::string_view last_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Result<void> alter(Path& found, const FileRule& rule) {
  if (rule.error != 0) return Error{rule.error};
  Inode& inode = *found.dentry->inode();
  if (!inode.is_regular() || (!rule.content && dynamic_cast<TextFile*>(&inode) == nullptr)) return {};
  found.dentry =
      Dentry::make_anon(make_ref<AlteredFile>(Ref<Inode>(&inode), rule), vfs_path_name(found, Path()));
  return {};
}

}  // namespace

bool file_rules_detail::active = false;

void set_file_rules(std::vector<FileRule> new_rules) {
  rules = std::move(new_rules);
  for (FileRule& r : rules) {
    constexpr std::string_view SELF = "/proc/self/";
    if (r.path.starts_with(SELF)) r.path.replace(0, SELF.size(), "/proc/*/");
  }
  file_rules_detail::active = !rules.empty();
}

Result<void> file_rules_detail::apply(Path& found) {
  std::string name;  // of `found`, once it is needed
  for (const FileRule& r : rules) {
    const std::string_view last = last_of(r.path);
    if (last != "*" && last != found.dentry->name()) continue;
    if (name.empty()) name = vfs_path_name(found, Path());
    if (fits(r.path, name)) return alter(found, r);
  }
  return {};
}

}  // namespace starry
