// From parsed options to a running guest and back to an exit status.
#pragma once

#include "tracer/options.h"

namespace starry {

// Runs the guest to its end. Returns the exit status of starryrun. Throws StartError when the guest
// could not be started.
int run(const Options& options);

}  // namespace starry
