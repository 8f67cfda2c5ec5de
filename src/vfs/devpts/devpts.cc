#include "vfs/devpts/devpts.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>

#include <charconv>
#include <optional>

#include "vfs/pseudo.h"

namespace starry {
namespace {

struct PtsNode final : PseudoNode {
  using PseudoNode::PseudoNode;
  bool revalidate() override { return !gone; }
  bool gone = false;  // the terminal ended; a new one may have the number by now
};

class DevptsSuper final : public SuperBlock {
 public:
  DevptsSuper() : SuperBlock("devpts", DEVPTS_SUPER_MAGIC) {}
  std::string show_options() const override {
    return fmt::format("{},mode={:03o},ptmxmode={:03o}", gid ? fmt::format(",gid={}", *gid) : "", mode,
                       ptmx_mode);
  }
  std::optional<uint32_t> gid;  // else the opener's
  uint32_t mode = 0600, ptmx_mode = 0;
};

struct Devpts {
  Ref<DevptsSuper> sb = make_ref<DevptsSuper>();
  Ref<PseudoDir> root = make_ref<PseudoDir>(sb, 0755);
  Ref<Inode> ptmx = root->add("ptmx", make_ref<PseudoNode>(sb, S_IFCHR, makedev(5, 2)));
};

Devpts& devpts() {
  static Devpts instance;
  return instance;
}

std::optional<uint32_t> number(const MountArgs& args, const char* key, int base) {
  std::string text;
  if (!mount_option(args.data, key, &text)) return std::nullopt;
  uint32_t v = 0;
  const char* end = text.data() + text.size();
  auto [p, ec] = std::from_chars(text.data(), end, v, base);
  if (ec != std::errc() || p != end) return std::nullopt;
  return v;
}

Result<Ref<Inode>> mount(const MountArgs& args) {
  Devpts& d = devpts();
  if (auto gid = number(args, "gid", 10)) d.sb->gid = gid;
  if (auto mode = number(args, "mode", 8)) d.sb->mode = *mode & 0777;
  if (auto mode = number(args, "ptmxmode", 8)) {
    d.sb->ptmx_mode = *mode & 0777;
    d.ptmx->attr.mode = S_IFCHR | d.sb->ptmx_mode;
  }
  return Ref<Inode>(d.root);
}

}  // namespace

void devpts_init() { register_filesystem({"devpts", false, mount}); }

Ref<Inode> devpts_add(unsigned index, uint64_t rdev, uint32_t uid, uint32_t gid) {
  Devpts& d = devpts();
  auto node = make_ref<PtsNode>(d.sb, S_IFCHR | d.sb->mode, rdev);
  node->attr.uid = uid;
  node->attr.gid = d.sb->gid.value_or(gid);
  // Numbered as in Linux, where 1 is the root, 2 ptmx.
  node->attr.ino = index + 3;
  return d.root->add(std::to_string(index), node);
}

void devpts_remove(unsigned index) {
  Devpts& d = devpts();
  const Result<Ref<Inode>> node = d.root->lookup(std::to_string(index));
  if (!node) return;
  if (auto* pts = dynamic_cast<PtsNode*>(node.value().get())) pts->gone = true;
  d.root->remove(std::to_string(index));
}

Inode* devpts_ptmx() { return devpts().ptmx.get(); }

}  // namespace starry
