// Are two texts the same but for what may differ between runs? Keeps what is known of the numbers of one log
// in terms of the other's: thread ids, ports, descriptors, regions.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "event.h"
#include "normalise.h"
#include "random_names.h"

namespace starry::diff {

class Matcher {
 public:
  Matcher(const Log& a, const Log& b, const Strings& strings, const Normal& normal)
      : a_(a), b_(b), strings_(strings), normal_(normal) {}

  void bind_pid(int64_t a, int64_t b);
  // May the number `a` of one log be the number `b` of the other? Binds them if neither is bound.
  bool pid(int64_t a, int64_t b, bool bind);
  bool port(int64_t a, int64_t b);
  // alone: the process has one thread; then descriptors are numbered as POSIX says, from the lowest.
  bool same_ref(const Ref& a, const Ref& b, bool made, bool alone, bool memory_call);

  struct Context {
    std::string_view call;
    bool pid_kind = false;  // the argument is a process id
    bool output = false;
    bool random = false;       // bytes that differ by design
    bool makes_file = false;   // the call makes a file that was not there
    bool random_data = false;  // strings that are not text differ by design
    bool numbers = false;      // numbers in its text differ by design (/proc)
    bool absolute = false;     // its times are points in time
    bool alone = true;
    bool memory_call = false;
  };
  // Compares arguments; refs of both are taken in order, beginning at ra and rb, which are advanced.
  bool same_arg(const Event& ea, const Arg& a, uint32_t& ra, const Event& eb, const Arg& b, uint32_t& rb,
                const Context& c);
  // How many digits process ids are longer in b, if a pid or a time has been seen in the text just compared.
  bool saw_variable_text() const { return variable_text_; }
  int64_t pid_digits(bool b) const { return b ? pid_b_digits_ : pid_a_digits_; }

 private:
  bool same_text(std::string_view a, std::string_view b, uint32_t& ra, uint32_t& rb, const Event& ea,
                 const Event& eb, const Context& c);
  bool same_string(std::string_view a, std::string_view b, const Context& c);
  bool same_number(std::string_view a, std::string_view b, std::string_view field, const Context& c);

  const Log &a_, &b_;
  const Strings& strings_;
  const Normal& normal_;
  std::unordered_map<int64_t, int64_t> pid_ab_, pid_ba_, port_ab_, port_ba_, fd_ab_;
  std::unordered_map<uint32_t, uint32_t> object_ab_, object_ba_;
  RandomNames random_names_;
  int64_t fd_shift_ = 0;  // by how much descriptors are higher in b since a difference that was reported
  bool variable_text_ = false;
  int64_t pid_a_digits_ = 0, pid_b_digits_ = 0;
};

// Bytes of a quoted string without its quotes; cut: it ends in "...".
struct Quoted {
  std::string_view text;
  bool cut = false;
  size_t end = 0;  // index behind it
};
Quoted quoted(std::string_view s, size_t at);

}  // namespace starry::diff
