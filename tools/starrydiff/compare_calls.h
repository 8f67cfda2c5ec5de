// Compares one call with the call it is aligned with.
#pragma once

#include "calls.h"
#include "compare.h"
#include "match.h"

namespace starry::diff {

struct CallVerdict {
  bool same = true;
  Kind kind = Kind::result;
  int arg = -1;
  bool timing = false;
  const char* note = "";
};

struct TaskContext {
  bool parallel = false;   // other threads or processes run beside it
  bool alone = true;       // the process has one thread
  int64_t pid_digits = 0;  // how much longer process ids are in the second log
  bool raw = false;        // one of the logs has numbers only
  bool random = false;     // the program has asked for random bytes, so its data may be random
  bool pool = false;       // other threads of its process have the same name but for numbers
  bool reaped = true;      // it waited for as many children in both logs
  bool swapped = false;    // paired with a thread of its pool that has another number
  bool pools = false;      // its process has such threads
};

// The label of the pipe or stream socket that a call reads or writes; 0 if there is none.
Id stream_label(const Log& log, const Strings& strings, const Event& e);
// What the call's first descriptor is: a path in quotes, or the call that made it. Empty if it has none.
std::string_view first_descriptor(const Log& log, const Strings& strings, const Event& e);

class CallComparer {
 public:
  CallComparer(const Log& a, const Log& b, const Strings& strings, const Normal& normal, Matcher& matcher)
      : a_(a), b_(b), strings_(strings), normal_(normal), matcher_(matcher) {}
  CallVerdict compare(const Event& a, const Event& b, const TaskContext& t);

 private:
  CallVerdict other_event(const Event& a, const Event& b, const TaskContext& t);
  bool same_number(std::string_view name, const Event& a, const Event& b, const TaskContext& t,
                   const CallInfo* info);
  bool explained_length(int64_t a, int64_t b, const TaskContext& t) const;
  const CallInfo* info_of(Id name);
  bool random(std::string_view name, const Event& a) const;
  bool alike(const Ref& a, const Ref& b) const;
  bool reserved(const Log& log, const Event& e) const;

  const Log &a_, &b_;
  const Strings& strings_;
  const Normal& normal_;
  Matcher& matcher_;
  bool cut_data_ = false;
  std::vector<std::pair<bool, const CallInfo*>> infos_;
};

}  // namespace starry::diff
