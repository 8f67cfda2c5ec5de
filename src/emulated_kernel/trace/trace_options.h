// How a log of system calls looks and what is in it; names follow strace's options.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

#include "emulated_kernel/abi/syscall_spec.h"

namespace starry {

// A set of system calls. Numbers that the table does not have are in it or not as a whole.
class CallSet {
 public:
  static CallSet all() { return ~CallSet(); }
  static CallSet none() { return {}; }
  bool has(int64_t nr) const {
    return nr >= 0 && nr < MAX_SYSCALL ? bits_[static_cast<size_t>(nr)] : others_;
  }
  void add(int64_t nr) { bits_[static_cast<size_t>(nr)] = true; }
  CallSet operator~() const {
    CallSet s;
    s.bits_ = ~bits_;
    s.others_ = !others_;
    return s;
  }
  bool operator==(const CallSet&) const = default;

 private:
  std::bitset<MAX_SYSCALL> bits_;
  bool others_ = false;
};

// Small numbers (signals, descriptors, states): listed, or all but the listed.
class NumberSet {
 public:
  static NumberSet all() { return ~NumberSet(); }
  static NumberSet none() { return {}; }
  bool has(int n) const {
    for (int k : numbers_)
      if (k == n) return !inverted_;
    return inverted_;
  }
  void add(int n) { numbers_.push_back(n); }
  NumberSet operator~() const {
    NumberSet s = *this;
    s.inverted_ = !inverted_;
    return s;
  }
  bool empty() const { return numbers_.empty() && !inverted_; }
  bool complete() const { return numbers_.empty() && inverted_; }

 private:
  std::vector<int> numbers_;
  bool inverted_ = false;
};

enum class CallStatus : uint8_t { SUCCESSFUL, FAILED, UNFINISHED, UNAVAILABLE, DETACHED };  // -e status=
enum class Quiet : uint8_t { ATTACH, EXIT, PATH_RESOLUTION, PERSONALITY, SUPERSEDED };      // -e quiet=
enum class QuoteStyle : uint8_t { C, HEX_UNPRINTABLE, HEX };                                // -x -xx
enum class XlatStyle : uint8_t { ABBREV, RAW, VERBOSE };                                    // -X

struct TraceOptions {
  // Which calls and signals.
  CallSet calls = CallSet::all();         // -e trace=
  NumberSet signals = NumberSet::all();   // -e signal=
  NumberSet statuses = NumberSet::all();  // -e status=, -z, -Z
  NumberSet quiet;                        // -e quiet=
  std::vector<std::string> paths;         // -P

  // How arguments are shown.
  size_t string_limit = 32;              // -s
  CallSet abbreviated = CallSet::all();  // -e abbrev=, -v
  CallSet decoded = CallSet::all();      // -e verbose=: structures are looked at
  CallSet raw;                           // -e raw=
  NumberSet dump_reads, dump_writes;     // -e read=, -e write=
  QuoteStyle quotes = QuoteStyle::C;
  XlatStyle names = XlatStyle::ABBREV;
  bool fd_paths = false, fd_details = false;  // -y, -yy

  // What stands around them.
  enum class Stamp : uint8_t { NONE, CLOCK, EPOCH } stamp = Stamp::NONE;  // -t -tt -ttt
  int stamp_digits = 0;                                                   // of the fraction of a second
  bool relative = false;                                                  // -r
  int relative_digits = 6;
  bool duration = false;  // -T
  int duration_digits = 6;
  bool numbers = false;  // -n
  bool stacks = false;   // -k
  int column = 40;       // -a
  bool pids = true;      // off: -ff, a file per thread

  // -c -C -w -S -U
  enum class Summary : uint8_t { NONE, ONLY, ALSO } summary = Summary::NONE;
  bool summary_wall_clock = false;
  std::string summary_sort = "time", summary_columns;

  bool split_args = false;  // keep the text of each argument (--trace-json)

  bool abbreviates(int64_t nr) const { return abbreviated.has(nr); }
  bool wants_fd_texts() const { return fd_paths || !paths.empty(); }
};

}  // namespace starry
