// Times in which the kernel thread does not spin on a CPU of its own but shares that of the guest.
//
// On a virtual machine whose page tables the hypervisor shadows, taking away or write-protecting pages costs
// several times as much while another virtual CPU runs, whatever that does: munmap(2) of 16 touched pages
// takes 29 us beside an idle CPU and 364 us beside a busy one, fork, exit and wait 1.0 and 2.4 ms, natively.
// Then it is the spinning that is expensive: a call by way of a sleep and a wake-up within one CPU takes 10
// us. So after an operation of that kind some calls are served that way. Not on machines without a
// hypervisor.
#pragma once

#include <cstdint>

namespace starry {

class Calm {
 public:
  // How many calls, after ...
  static constexpr uint32_t EXIT = 4, FORK = 16, UNMAP = 8;

  void look_at_machine(uint64_t now);  // first
  void begin(uint32_t calls, uint64_t now);
  void count_call() {
    ++count_;
    if (calls_ != 0) --calls_;
  }
  // An operation that takes pages away took so many cycles, as a guest says: begins when such operations are
  // slow one after the other, and goes on as long as there are pages to take away.
  void pages_taken(uint64_t cycles, uint64_t now);
  // However few calls there are: what else needs the kernel thread shall not find it on a guest's CPU for
  // long.
  void end_in_time(uint64_t now);
  bool now() const { return calls_ != 0; }

 private:
  bool useful_ = false;
  uint32_t calls_ = 0;
  uint64_t until_ns_ = 0;
  uint32_t count_ = 0, slow_at_ = 0, paused_until_ = 0;  // numbers of calls
  uint64_t first_cycles_ = 0, first_ns_ = 0;
};

}  // namespace starry
