// JSON text, written by hand: one flat object per line of --trace-json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace starry::trace {

// Quoted and escaped; bytes outside ASCII, which need not be UTF-8, as \u00XX.
std::string json_string(std::string_view text);

class JsonObject {
 public:
  void add(std::string_view key, std::string_view text) { raw(key, json_string(text)); }
  void number(std::string_view key, int64_t n) { raw(key, std::to_string(n)); }
  // A value that is JSON already.
  void raw(std::string_view key, std::string_view json);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

}  // namespace starry::trace
