// Makes logs comparable: splits arguments, replaces addresses and descriptors by what they refer to, and
// gives each call a key by which calls of two logs are aligned.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "event.h"

namespace starry::diff {

// What may differ between two runs without being a difference. Each can be switched off.
struct Normal {
  bool pids = true, addresses = true, fds = true, times = true, random = true, ports = true, inodes = true;
  bool folding = true;  // polling loops
  bool timing = true;   // calls whose number depends on timing, where threads or processes run in parallel
  bool scalar_keys = false;  // one of the logs has numbers only (a kernel log): keys of numbers
  // The switch of that name; nullptr if there is none.
  bool* by_name(std::string_view name);
};

// More than the 8 bytes that malloc asks for at the start of every program: its data may be random.
bool asks_for_random(const Log& log, const Strings& strings);
// Data that is not text: several bytes of the quoted string are numbers.
bool binary(std::string_view quoted);

// Fills args, refs, objects, keys and the flags EV_WAIT, EV_IDLE and EV_HEAP.
void normalise(Log& log, Strings& strings, const Normal& normal);

// True if numbers of this field are times, as in {tv_sec=1}.
bool time_field(std::string_view field);
bool inode_field(std::string_view field);
// The name before '=' or "=htons(" that ends at text[at].
std::string_view field_before(std::string_view text, size_t at);

}  // namespace starry::diff
