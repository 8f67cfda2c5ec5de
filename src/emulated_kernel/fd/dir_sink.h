// Where File::read_dir puts entries (struct dir_context).
#pragma once

#include <cstdint>
#include <string_view>

namespace starry {

class DirSink {
 public:
  virtual ~DirSink() = default;
  // `next_offset` is the position to continue at after this entry (d_off). type: DT_*. Returns
  // false when the entry did not fit: the caller stops, its position unchanged.
  virtual bool add(std::string_view name, uint64_t ino, int64_t next_offset, uint8_t type) = 0;
};

}  // namespace starry
