// The log of system calls of one instance: on from the start if starryrun's options say so, and changed
// while the guest runs by `starryctl trace`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tracer/trace_log.h"
#include "tracer/trace_setup.h"

namespace starry {

// What `starryctl trace` asks for; empty parts stay as they are.
struct TraceChange {
  enum class Power : uint8_t { AS_IS, ON, OFF } power = Power::AS_IS;
  std::vector<std::string> expressions;  // -e
  std::string file;                      // -o, absolute
};

class TraceControl {
 public:
  // StartError: a file cannot be written. Kernel thread, as everything here.
  TraceControl(TraceSetup setup, std::vector<std::string> program, int cpus);
  ~TraceControl();

  // All of it or nothing; the text says what is wrong, empty: nothing.
  std::string change(const TraceChange& change);
  // One line for people: what is logged, and where to.
  std::string state() const;

 private:
  TraceSetup setup_;
  std::vector<std::string> program_;
  int cpus_;
  std::unique_ptr<TraceLog> log_;
  bool on_ = false;
};

}  // namespace starry
