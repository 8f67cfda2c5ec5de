// Classic BPF programs of seccomp(2): checking and running them. Pure logic.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>

#include "emulated_kernel/base/result.h"

namespace starry {

// seccomp_check_filter() and bpf_check_classic(): every instruction is one that seccomp allows, every path
// ends, memory is written before it is read, loads are aligned words of seccomp_data. EINVAL.
Result<void> bpf_check(std::span<const sock_filter> program);

// The value that the program returns (SECCOMP_RET_* with data). It has been checked.
uint32_t bpf_run(std::span<const sock_filter> program, const seccomp_data& data);

}  // namespace starry
