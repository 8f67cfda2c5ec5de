// What numbers refer to while a log is read in order: mapped regions and open descriptors of each process.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "event.h"

namespace starry::diff {

struct Region {
  uint64_t end = 0;
  uint64_t base = 0;  // where the mapping began: offsets count from here, whatever was unmapped since
  uint32_t object = 0;
};

struct AddressSpace {
  std::map<uint64_t, Region> regions;  // by start
  uint32_t brk = 0;                    // object
  uint64_t brk_start = 0, brk_end = 0;
  uint32_t maps = 0;  // how many were made
};

struct FdTable {
  std::unordered_map<int, uint32_t> objects;
};

class Objects {
 public:
  Objects(Log& log, Strings& strings);

  Ref address(uint32_t task, uint64_t value);
  // A descriptor that is in use; made if it is not known.
  Ref fd(uint32_t task, int number);
  // A call that has made a descriptor; label: what it is.
  Ref new_fd(uint32_t task, int number, std::string_view label);
  void close_fd(uint32_t task, int number);
  void dup_fd(uint32_t task, int from, int to);
  Ref map(uint32_t task, uint64_t at, uint64_t length, bool inside, bool arena);
  void unmap(uint32_t task, uint64_t at, uint64_t length);
  Ref brk(uint32_t task, uint64_t result);
  void created(uint32_t parent, uint32_t child, bool share_memory, bool share_fds);
  void executed(uint32_t task);
  // A task that is seen before its creator's call returned: what it shares is found in the tree.
  void begin(uint32_t task);

 private:
  uint32_t make(RefKind kind, std::string_view label);
  AddressSpace& space(uint32_t task);
  FdTable& fds(uint32_t task);
  Log& log_;
  Strings& strings_;
  std::vector<std::shared_ptr<AddressSpace>> spaces_;
  std::vector<std::shared_ptr<FdTable>> tables_;
};

}  // namespace starry::diff
