// The call stack of a guest thread that waits in the kernel, for messages to people.
#pragma once

#include <string>
#include <vector>

#include "emulated_kernel/abi/guest_regs.h"
#include "emulated_kernel/mm/mm.h"

namespace starry {

// One line per frame, innermost first, as `strace -k` prints them:
//    > /usr/lib/x86_64-linux-gnu/libc.so.6(__libc_start_main+0x85) [0x27305]
// with the offset in the file in brackets. Ends where the unwind tables of the guest end; never fails.
std::vector<std::string> guest_call_stack(const GuestRegs& regs, const Mm& mm);

}  // namespace starry
