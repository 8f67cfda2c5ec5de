#include "emulated_kernel/abi/syscall_classes.h"

#include <strings.h>

#include <utility>

#include "emulated_kernel/abi/syscall_spec.h"

namespace starry {
namespace {

// The old ones have a name without '%' too.
constexpr std::pair<std::string_view, uint32_t> CLASSES[] = {
    {"desc", C_DESC},
    {"file", C_FILE},
    {"memory", C_MEMORY},
    {"process", C_PROCESS},
    {"signal", C_SIGNAL},
    {"ipc", C_IPC},
    {"network", C_NETWORK},
    {"%net", C_NETWORK},
    {"%creds", C_CREDS},
    {"%clock", C_CLOCK},
    {"%pure", C_PURE},
    {"%stat", C_STAT},
    {"%lstat", C_LSTAT},
    {"%fstat", C_FSTAT},
    {"%statfs", C_STATFS},
    {"%fstatfs", C_FSTATFS},
    {"%%stat", C_STAT | C_LSTAT | C_FSTAT},
    {"%%statfs", C_STATFS | C_FSTATFS},
};

}  // namespace

uint32_t syscall_class_by_name(std::string_view name) {
  for (const auto& [known, bits] : CLASSES) {
    const std::string_view plain = name.starts_with('%') && known[0] != '%' ? name.substr(1) : name;
    if (plain.size() == known.size() && strncasecmp(plain.data(), known.data(), known.size()) == 0) return bits;
  }
  return 0;
}

}  // namespace starry
