// Order between threads where one call causes the other: a futex wait returns only after a wake, a read of a
// pipe or eventfd only after a write.
#pragma once

#include "compare.h"

namespace starry::diff {

// Adds divergences of kind `order` for effects of the second log that come before their cause, unless the
// first log shows the same.
void causes(Comparison& c, const Strings& strings);

}  // namespace starry::diff
