// The reports. Each writes one comparison; they throw ReportError if their file cannot be written.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "compare.h"

namespace starry::diff {

struct ReportError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct TextOptions {
  bool colour = false;
  size_t width = 80;     // columns; side by side from SIDE_BY_SIDE on
  uint32_t context = 3;  // rows before and after a divergence
  uint32_t most = 20;    // divergences per thread that are listed
  int thread = -1;       // only this one (number in the list, or a thread id of the first log)
  bool quiet = false;    // the verdict only
};
constexpr size_t SIDE_BY_SIDE = 140;

void report_text(std::FILE* out, const Comparison& c, const Strings& strings, const TextOptions& options);
// Several logs against the first: what each adds.
void report_together(std::FILE* out, const std::vector<Comparison>& all, const Strings& strings,
                     const TextOptions& options);
void report_json(const std::string& path, const std::vector<Comparison>& all, const Strings& strings);
void report_html(const std::string& path, const std::vector<Comparison>& all, const Strings& strings);
void report_perfetto(const std::string& path, const Log& log, const Strings& strings);
void report_profile(const std::string& path, const Comparison& c, const Strings& strings);

// A file that is written as a whole; "-" is standard output.
class OutFile {
 public:
  explicit OutFile(const std::string& path);
  ~OutFile();
  void write(std::string_view text);
  void close();

 private:
  std::string path_;
  std::FILE* file_;
};
// As a JSON string with its quotes. What is not UTF-8 is replaced.
std::string json_string(std::string_view text);

}  // namespace starry::diff
