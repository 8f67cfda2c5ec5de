// The table of -c and -C: how often each call was made, how long it took, how often it failed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace starry::trace {

class Summary {
 public:
  void count(int64_t nr, uint64_t ns, bool failed);
  bool empty() const { return calls_.empty(); }
  // `sort` and `columns` as -S and -U have them (checked by check_sort, check_columns).
  std::string table(const std::string& sort, const std::string& columns) const;

  // What is wrong with a value of -S or -U; empty: nothing.
  static std::string check_sort(const std::string& sort);
  static std::string check_columns(const std::string& columns);

 private:
  struct Counts {
    uint64_t calls = 0, errors = 0, total_ns = 0, min_ns = UINT64_MAX, max_ns = 0;
    uint64_t average_ns() const { return calls == 0 ? 0 : total_ns / calls; }
  };
  struct Row;
  std::map<int64_t, Counts> calls_;
};

}  // namespace starry::trace
