// The network of the guests: one private loopback interface and AF_UNIX. Called once at boot, on the
// kernel thread.
#pragma once

namespace starry {

void netstack_init();

}  // namespace starry
