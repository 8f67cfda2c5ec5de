// libFuzzer: any bytes as two logs. The text is cut at its first NUL byte.
#include <cstdint>
#include <string_view>

#include "starrydiff/compare.h"
#include "starrydiff/describe.h"
#include "starrydiff/reader.h"

using namespace starry::diff;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view all(reinterpret_cast<const char*>(data), size), second;
  if (const size_t at = all.find('\0'); at != std::string_view::npos) {
    second = all.substr(at + 1);
    all = all.substr(0, at);
  } else {
    second = all;
  }
  Strings strings;
  Normal normal;
  Log a = read_text(all, strings), b = read_text(second, strings);
  normal.scalar_keys = a.raw || b.raw;
  normalise(a, strings, normal);
  normalise(b, strings, normal);
  const Comparison c = compare(a, b, strings, normal, {}, {});
  (void)verdict(c, strings);
  (void)ending(c, strings);
  for (const Divergence& d : c.divergences) (void)divergence_text(c, strings, d);
  return 0;
}
