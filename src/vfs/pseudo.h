// Ready-made inodes for file systems whose contents the kernel computes: procfs, sysfs, devfs.
//
//   auto root = make_ref<PseudoDir>(sb, 0555);
//   root->add("uptime", make_ref<TextFile>(sb, 0444, [] { return uptime_text(); }));
//   root->add("self", make_ref<PseudoLink>(sb, [] { return std::to_string(current().tgid()); }));
//
// Functions run in the context of the calling task: current() works in them.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "vfs/inode.h"

namespace starry {

// A regular file whose text a function makes. The text is made when the file is read from its
// beginning and kept by that open file until it is rewound (as seq_file does). st_size is 0.
class TextFile : public Inode {
 public:
  using Show = std::function<std::string()>;
  using Store = std::function<Result<void>(std::string_view)>;  // one write(2); errors go to the guest
  TextFile(Ref<SuperBlock> sb, uint32_t perm, Show show, Store store = nullptr);
  Result<Ref<File>> open(const Path& where, int flags) override;
  Result<void> setattr(const SetAttr& a) override;  // O_TRUNC is accepted and does nothing

  // What the open file uses; override instead of passing functions if the inode is a subclass.
  virtual Result<std::string> show() { return show_(); }
  virtual Result<void> store(std::string_view text);
  // In a store function: the credentials with which the file was opened (f_cred). Whoever is made to write to
  // it may have more.
  static const Cred& opened_by();

 private:
  Show show_;
  Store store_;
};

// A directory with fixed entries, and room for computed ones: override dynamic_lookup/dynamic_list.
// Fixed entries win. With dynamic entries, override revalidate() of the children as needed; "no such
// entry" is never cached here.
class PseudoDir : public Inode {
 public:
  PseudoDir(Ref<SuperBlock> sb, uint32_t perm);
  // Adds or replaces a fixed entry. Returns the inode for chaining.
  Ref<Inode> add(const std::string& name, Ref<Inode> inode);
  void remove(const std::string& name);
  // The subdirectory of that name, made with `perm` if absent.
  Ref<PseudoDir> subdir(const std::string& name, uint32_t perm = 0555);

  virtual Result<Ref<Inode>> dynamic_lookup(std::string_view /*name*/) { return Error{ENOENT}; }
  virtual void dynamic_list(std::vector<DirEntry>& /*out*/) {}

  Result<Ref<Inode>> lookup(std::string_view name) final;
  Result<std::vector<DirEntry>> list() final;
  bool cache_negative() const override { return false; }

 private:
  std::map<std::string, Ref<Inode>, std::less<>> entries_;
};

// A symbolic link whose text a function makes.
class PseudoLink : public Inode {
 public:
  PseudoLink(Ref<SuperBlock> sb, std::function<Result<std::string>()> text);
  Result<std::string> readlink() override { return text_(); }

 private:
  std::function<Result<std::string>()> text_;
};

// A magic link: following it goes to `target()`; readlink shows `text()`.
class MagicLink : public Inode {
 public:
  MagicLink(Ref<SuperBlock> sb, std::function<Result<std::string>()> text,
            std::function<Result<Path>()> target);
  Result<std::string> readlink() override { return text_(); }
  Result<Path> follow() override { return target_(); }

 private:
  std::function<Result<std::string>()> text_;
  std::function<Result<Path>()> target_;
};

// A device node or FIFO in a pseudo file system; opened through vfs/special.h.
class PseudoNode : public Inode {
 public:
  PseudoNode(Ref<SuperBlock> sb, uint32_t mode, uint64_t rdev);  // mode with S_IFCHR, S_IFBLK, S_IFIFO
  Result<void> setattr(const SetAttr& a) override;               // in memory
};

}  // namespace starry
