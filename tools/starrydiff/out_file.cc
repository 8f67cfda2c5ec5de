#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "report.h"

namespace starry::diff {

OutFile::OutFile(const std::string& path)
    : path_(path), file_(path == "-" ? stdout : std::fopen(path.c_str(), "we")) {
  if (file_ == nullptr) throw ReportError(path + ": " + strerror(errno));
}

OutFile::~OutFile() {
  if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

void OutFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size())
    throw ReportError(path_ + ": " + strerror(errno));
}

void OutFile::close() {
  const bool failed = (file_ == stdout ? std::fflush(file_) : std::fclose(file_)) != 0;
  file_ = nullptr;
  if (failed) throw ReportError(path_ + ": " + strerror(errno));
}

std::string json_string(std::string_view text) {
  std::string s = "\"";
  for (size_t i = 0; i < text.size(); i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      s += '\\';
      s += text[i];
    } else if (c < 0x20 || c == 0x7f) {
      s += fmt::format("\\u{:04x}", c);
    } else if (c == '<') {
      s += "\\u003c";  // the text may stand in a page
    } else if (c < 0x80) {
      s += text[i];
    } else {
      const size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
      bool good = n > 0 && i + n <= text.size();
      for (size_t k = 1; good && k < n; k++) good = (static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80;
      if (good && n == 3 && c == 0xe0) good = static_cast<unsigned char>(text[i + 1]) >= 0xa0;
      if (good && n == 3 && c == 0xed) good = static_cast<unsigned char>(text[i + 1]) < 0xa0;
      if (good && n == 4 && c == 0xf0) good = static_cast<unsigned char>(text[i + 1]) >= 0x90;
      if (good && n == 4 && c == 0xf4) good = static_cast<unsigned char>(text[i + 1]) < 0x90;
      if (good) {
        s.append(text.substr(i, n));
        i += n - 1;
      } else {
        s += "\\ufffd";
      }
    }
  }
  return s + '"';
}

}  // namespace starry::diff
