// What the upper layer must remember beside the host's files, because the host's file system or user
// cannot hold it: names of the lower layers that are gone (whiteouts, opaque directories), and owners,
// modes, device numbers and inode numbers that differ from the host file's.
//
// It is a tree of names in memory and a journal of lines in one file, replayed at the next start and
// rewritten when it has grown. Works on every host file system, and survives a copy of the directory.
//
//   a ID MODE UID GID RDEV INO   attributes number ID (octal mode; INO 0: the host file's)
//   b ID PATH                    PATH has attributes ID (hard links share them)
//   x PATH                       PATH has no attributes of its own
//   h PATH / v PATH              what the lower layers have at PATH is hidden / visible
//   d PATH                       everything at and below PATH is forgotten, but not whether it is hidden
//   m OLD<space>NEW              attributes and all below OLD moved to NEW (what NEW had is forgotten)
//   e A<space>B                  A and B exchanged
// In paths, bytes up to space, '\' and DEL are written as \ooo.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "emulated_kernel/base/result.h"
#include "emulated_kernel/platform_files.h"

namespace starry {

struct MetaAttr {
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t rdev = 0, ino = 0;
  uint32_t id = 0;  // given by the journal
};

class OverlayMeta {
 public:
  struct Node {
    bool hidden = false;  // the lower layers' object of this name does not exist
    std::shared_ptr<MetaAttr> attr;
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  };

  // `dir` is the host directory that holds the journal ("meta").
  static Result<std::unique_ptr<OverlayMeta>> open(int dir);

  // "usr/bin/x"; "" is the root. Null: nothing to remember.
  const Node* find(std::string_view path) const;

  // Each updates memory and journal. Errors: the journal cannot be written (ENOSPC, EROFS).
  Result<void> hide(std::string_view path);
  Result<void> set_attr(std::string_view path, const MetaAttr& attr);  // for all hard links of path
  Result<void> new_attr(std::string_view path, const MetaAttr& attr);  // of a new object
  Result<void> link_attr(std::string_view from, std::string_view to);
  Result<void> drop_attr(std::string_view path);
  Result<void> forget(std::string_view path);
  Result<void> rename(std::string_view from, std::string_view to);
  Result<void> exchange(std::string_view a, std::string_view b);

  const Node& root() const { return root_; }

 private:
  Node& make(std::string_view path);
  void apply_line(std::string_view line);
  void move(std::string_view from, std::string_view to);
  void prune(std::string_view path);
  Result<void> write(const std::string& lines);
  Result<void> append(std::string_view text);
  Result<void> rewrite();
  void dump(const Node& n, const std::string& path, std::string& out,
            std::map<const MetaAttr*, bool>& seen) const;

  Node root_;
  std::map<uint32_t, std::weak_ptr<MetaAttr>> by_id_;  // while replaying
  std::shared_ptr<MetaAttr> pending_;  // while replaying: attributes that no path refers to yet
  uint32_t last_id_ = 0;
  int dir_ = -1;
  HostFd journal_;
  size_t written_ = 0, live_ = 0;  // bytes of the journal; of these, when it was rewritten last
};

}  // namespace starry
