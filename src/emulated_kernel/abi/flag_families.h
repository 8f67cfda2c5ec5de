// The families of named flags and codes of abi/flags/.
#pragma once

#include <cstdint>

namespace starry {

enum class FlagFamily : uint16_t {
#define FAMILY(name, unknown) name,
#define FLAG(name, value)
#define END_FAMILY
#include "emulated_kernel/abi/flags/all.def"
#undef FAMILY
#undef FLAG
#undef END_FAMILY
};

}  // namespace starry
