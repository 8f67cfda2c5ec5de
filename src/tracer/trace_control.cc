#include "tracer/trace_control.h"

#include <utility>

#include "emulated_kernel/trace/filter.h"
#include "emulated_kernel/trace/tracer.h"
#include "tracer/start_error.h"

namespace starry {

TraceControl::TraceControl(TraceSetup setup, std::vector<std::string> program, int cpus)
    : setup_(std::move(setup)), program_(std::move(program)), cpus_(cpus) {
  if (setup_.active()) {
    log_ = std::make_unique<TraceLog>(setup_, program_, cpus_);
    on_ = true;
  }
  trace_enable(on_ ? log_.get() : nullptr, setup_.options);
  inject_enable(setup_.injections);
}

TraceControl::~TraceControl() {
  trace_enable(nullptr);
  log_.reset();
}

std::string TraceControl::change(const TraceChange& c) {
  TraceSetup next = setup_;
  if (!c.file.empty()) next.file = c.file;
  const bool on =
      c.power == TraceChange::Power::AS_IS ? on_ || !c.file.empty() : c.power == TraceChange::Power::ON;
  if (on && !next.active()) return "there is no log yet: give its file with -o";
  try {
    for (const std::string& e : c.expressions) trace::apply_expression(e, next.options, next.injections);
    if (!c.file.empty()) {
      auto log = std::make_unique<TraceLog>(next, program_, cpus_);
      trace_enable(nullptr);  // before the old log goes
      std::swap(log_, log);
    } else if (log_ != nullptr) {
      log_->set_options(next.options);
    }
  } catch (const std::exception& e) {  // FilterError, StartError
    return e.what();
  }
  const bool injects = next.injections != setup_.injections;
  setup_ = std::move(next);
  on_ = on;
  trace_enable(on_ ? log_.get() : nullptr, setup_.options);
  if (injects) inject_enable(setup_.injections);  // counts start again
  return {};
}

std::string TraceControl::state() const {
  if (!on_) return "off";
  const std::string& file = setup_.file.empty() ? setup_.json : setup_.file;
  return "on, to " + (file.empty() ? "standard error" : file);
}

}  // namespace starry
