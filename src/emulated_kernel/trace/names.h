// Names of flags, codes, errors and signals: abi/flags/*.def as data.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "emulated_kernel/abi/flag_families.h"

namespace starry::trace {

struct NamedValue {
  const char* name;
  int64_t value;
};
std::span<const NamedValue> family_values(FlagFamily family);

// nullptr if the value has no name.
const char* value_name(FlagFamily family, int64_t value);

// These two return the bits that have no name.
// "A|B|0x40": the bits' names, unknown bits in hex; only unknown ones: "0x40 /* A_??? */".
uint64_t append_flags(std::string& out, FlagFamily family, uint64_t value);
// The same without the note and for a value of which a part has been printed: adds nothing for 0.
uint64_t append_more_flags(std::string& out, FlagFamily family, uint64_t value);
// "NAME" or "0x40 /* A_??? */"; false if it has no name.
bool append_enum(std::string& out, FlagFamily family, uint64_t value);
// True if at least one bit (or the value 0) has a name.
bool value_known(FlagFamily family, uint64_t value);
// What strace writes behind a value without a name: "O_???"; may be empty.
const char* unknown_note(FlagFamily family);

// "SIGINT", "SIGRT_4", "99".
std::string signal_name(int signo);
// "ENOENT (No such file or directory)"; restart codes too.
std::string error_text(int err);

}  // namespace starry::trace
