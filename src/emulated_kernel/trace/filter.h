// strace's -e expressions, for starryrun's command line and for `starryctl trace`.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "emulated_kernel/trace/inject.h"
#include "emulated_kernel/trace/trace_options.h"

namespace starry::trace {

// What is wrong with an expression, in strace's words.
struct FilterError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// "open,%network,/^get,?maybe,12", "!futex", "all", "none": calls by name, number, class or (extended)
// regular expression.
CallSet parse_calls(std::string_view list);
// One -e: "[trace=]SET", "signal=SET", "status=SET", "inject=SET:...", ... applied to `options` and
// `injections`. FilterError.
void apply_expression(const std::string& expr, TraceOptions& options, Injections& injections);

}  // namespace starry::trace
