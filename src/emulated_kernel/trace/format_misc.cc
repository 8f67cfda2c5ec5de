// Memory mapping, System V IPC, keys and what is left.
#include <sys/ipc.h>
#include <sys/mman.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {
namespace {

constexpr uint64_t HUGE_SHIFT = 26, HUGE_MASK = 0x3f;

}  // namespace

void format_MMAP_FLAGS(Printer& p) {
  constexpr uint64_t TYPE = 0xf;
  const uint64_t v = p.value(), huge = v >> HUGE_SHIFT & HUGE_MASK;
  p.composite(v, [&] {
    p.name(FlagFamily::mmap_type, v & TYPE);
    p.more_flags(FlagFamily::mmap_flags, v & ~TYPE & ~(HUGE_MASK << HUGE_SHIFT));
    if (huge != 0) p.print("|{}<<MAP_HUGE_SHIFT", huge);
  });
}

void format_MREMAP_ADDR(Printer& p) {
  if ((p.arg(3) & (MREMAP_MAYMOVE | MREMAP_FIXED)) != (MREMAP_MAYMOVE | MREMAP_FIXED) &&
      (p.arg(3) & MREMAP_DONTUNMAP) == 0)
    p.omit();
  else
    p.address(p.value());
}

void format_MINCORE(Printer& p) {
  if (p.failed()) {
    p.address(p.value());
    return;
  }
  p.array((p.arg(1) + PAGE - 1) / PAGE, [&](uint64_t i) {
    uint8_t v;
    if (!p.load(p.value() + i, v)) return false;
    p.print("{}", v & 1);
    return true;
  });
}

void format_MEMPOLICY(Printer& p) {
  uint32_t mode;
  if (!p.fetch(mode)) return;
  p.put("[");
  p.name(FlagFamily::mempolicy_mode, mode);
  p.put("]");
}

void format_MEMPOLICY_MODE(Printer& p) {
  constexpr uint64_t MODE_FLAGS = 0xe000;
  const uint64_t v = p.value(), flags = v & MODE_FLAGS, mode = v & ~MODE_FLAGS;
  if (value_name(FlagFamily::mempolicy_mode, static_cast<int64_t>(mode)) != nullptr) {
    p.composite(v, [&] {
      p.name(FlagFamily::mempolicy_mode, mode);
      p.more_flags(FlagFamily::mempolicy_mode_flags, flags);
    });
  } else {
    p.flags(FlagFamily::mempolicy_mode_flags, v);
  }
}

void format_NODEMASK(Printer& p) {
  constexpr uint64_t MAX_BITS = 1 << 20, WORD_BITS = 64;
  // The kernel takes one bit less than the caller says, see set_mempolicy(2).
  const uint64_t bits = p.arg(p.index + 1) - 1;
  uint64_t word = 0;
  if (p.value() == 0 || p.failed() || bits > MAX_BITS || !p.mem.read(p.value(), &word, sizeof word)) {
    p.address(p.value());
    return;
  }
  p.array((bits + WORD_BITS - 1) / WORD_BITS, [&](uint64_t i) {
    if (!p.load(p.value() + i * sizeof word, word)) return false;
    if (word == 0)
      p.put("0000000000000000");
    else
      p.print("{:#016x}", word);
    return true;
  });
}

void format_IPC_KEY(Printer& p) {
  if (p.value() == 0)
    p.put("IPC_PRIVATE");
  else
    p.number_hex(p.value());
}

void format_IPCGET_FLAGS(Printer& p) {
  constexpr uint64_t MODE = 0777;
  if ((p.value() & ~MODE) != 0) {
    p.flags(FlagFamily::ipc_flags, p.value() & ~MODE);
    p.put("|");
  }
  p.octal(static_cast<uint32_t>(p.value() & MODE));
}

void format_SHMGET_FLAGS(Printer& p) {
  constexpr uint64_t MODE = 0777;
  const uint64_t v = p.value(), huge = v >> HUGE_SHIFT & HUGE_MASK;
  const uint64_t flags = v & ~MODE & ~(HUGE_MASK << HUGE_SHIFT);
  if (flags != 0) {
    p.flags(FlagFamily::shmget_flags, flags);
    p.put("|");
  }
  if (huge != 0) p.print("{}<<SHM_HUGE_SHIFT|", huge);
  p.octal(static_cast<uint32_t>(v & MODE));
}

void format_SEMBUF(Printer& p) {
  GuestSembuf probe;
  if (!p.fetch(probe)) return;
  p.array(p.arg(2), [&](uint64_t i) {
    GuestSembuf b;
    if (!p.load(p.value() + i * sizeof b, b)) return false;
    p.print("{{sem_num={}, sem_op={}, sem_flg=", b.num, b.op);
    p.flags(FlagFamily::semop_flags, static_cast<uint16_t>(b.flags));
    p.put("}");
    return true;
  });
}

void format_KEYRING_ID(Printer& p) {
  if (const char* name = value_name(FlagFamily::key_spec, p.int_value()))
    p.put(name);
  else
    p.print("{}", p.int_value());
}

void format_SYSLOG_ACTION(Printer& p) {
  p.print("{} /* ", p.int_value());
  const char* name = value_name(FlagFamily::syslog_action, p.int_value());
  p.print("{} */", name != nullptr ? name : "SYSLOG_ACTION_???");
}

}  // namespace starry::trace
