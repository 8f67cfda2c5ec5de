// Times, timers and clocks.
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/base/result.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

void print_clock_t(Printer& p, uint64_t ticks) {
  constexpr double TICKS_PER_SECOND = 100;  // USER_HZ
  p.print("{}", ticks);
  if (ticks != 0) p.print(" /* {:.2f} s */", static_cast<double>(ticks) / TICKS_PER_SECOND);
}

void print_timespec(Printer& p, int64_t sec, int64_t nsec) {
  p.print("{{tv_sec={}, tv_nsec={}}}", sec, static_cast<uint64_t>(nsec));
}
void print_timeval(Printer& p, int64_t sec, int64_t usec) {
  p.print("{{tv_sec={}, tv_usec={}}}", sec, static_cast<uint64_t>(usec));
}

namespace {

void note_time_left(Printer& p, bool nanoseconds) {
  // A timeout shows as "Timeout" (POLLFD, FDSET), or as nothing when nothing was waited for.
  struct {
    int64_t sec, fraction;
  } t{};
  if (p.call.value == 0) {
    if (p.out.empty()) p.put("Timeout");
    return;
  }
  if (p.value() == 0 || !p.mem.read(p.value(), &t, sizeof t)) return;
  p.note_item();
  p.put("left ");
  if (nanoseconds)
    print_timespec(p, t.sec, t.fraction);
  else
    print_timeval(p, t.sec, t.fraction);
}

void print_utimens(Printer& p, const timespec& t) {
  if (t.tv_nsec == UTIME_NOW) {
    p.put("UTIME_NOW");
  } else if (t.tv_nsec == UTIME_OMIT) {
    p.put("UTIME_OMIT");
  } else {
    print_timespec(p, t.tv_sec, t.tv_nsec);
    if (t.tv_nsec < 0 || t.tv_nsec > 999'999'999) return;
    p.put(" /* ");
    append_date(p.out, t.tv_sec, t.tv_nsec, 9);
    p.put(" */");
  }
}

void print_dated_timeval(Printer& p, const timeval& t) {
  print_timeval(p, t.tv_sec, t.tv_usec);
  if (t.tv_usec < 0 || t.tv_usec > 999'999) return;
  p.put(" /* ");
  append_date(p.out, t.tv_sec, t.tv_usec, 6);
  p.put(" */");
}

}  // namespace

void format_TIMESPEC(Printer& p) {
  timespec t;
  if (p.fetch(t)) print_timespec(p, t.tv_sec, t.tv_nsec);
}

void format_TIMESPEC_REM(Printer& p) {
  // Written only when a signal ended the sleep, and never if its end is a point in time.
  timespec t;
  const bool absolute = p.spec.nargs == 4 && p.arg(1) != 0;  // clock_nanosleep(2)
  const bool interrupted = p.call.err >= ERESTARTSYS && !absolute;
  if (interrupted && p.value() != 0 && p.mem.read(p.value(), &t, sizeof t))
    print_timespec(p, t.tv_sec, t.tv_nsec);
  else
    p.address(p.value());
}

void format_TIMESPEC_LEFT(Printer& p) {
  if (p.phase == Phase::NOTE) {
    note_time_left(p, true);
    return;
  }
  timespec t;
  if (p.fetch(t)) print_timespec(p, t.tv_sec, t.tv_nsec);
  // recvmmsg(2) has no note.
  if (p.entry()) p.want_note();
}

void format_TIMEVAL(Printer& p) {
  timeval t;
  if (p.fetch(t)) print_timeval(p, t.tv_sec, t.tv_usec);
}

void format_TIMEVAL_LEFT(Printer& p) {
  if (p.phase == Phase::NOTE) {
    note_time_left(p, false);
    return;
  }
  timeval t;
  if (p.fetch(t)) print_timeval(p, t.tv_sec, t.tv_usec);
  p.want_note();
}

void format_TIMEVAL_PAIR(Printer& p) {
  timeval t[2];
  if (!p.fetch(t)) return;
  p.put("[");
  print_dated_timeval(p, t[0]);
  p.put(", ");
  print_dated_timeval(p, t[1]);
  p.put("]");
}

void format_UTIMENS_PAIR(Printer& p) {
  timespec t[2];
  if (!p.fetch(t)) return;
  p.put("[");
  print_utimens(p, t[0]);
  p.put(", ");
  print_utimens(p, t[1]);
  p.put("]");
}

void format_UTIMBUF(Printer& p) {
  int64_t t[2];
  if (!p.fetch(t)) return;
  p.print("{{actime={} /* ", t[0]);
  append_date(p.out, t[0]);
  p.print(" */, modtime={} /* ", t[1]);
  append_date(p.out, t[1]);
  p.put(" */}");
}

void format_TIMEZONE(Printer& p) {
  struct timezone z;
  if (p.fetch(z)) p.print("{{tz_minuteswest={}, tz_dsttime={}}}", z.tz_minuteswest, z.tz_dsttime);
}

void format_TIME_T(Printer& p) {
  int64_t t;
  if (!p.fetch(t)) return;
  p.print("[{} /* ", t);
  append_date(p.out, t);
  p.put(" */]");
}

void format_ITIMERVAL(Printer& p) {
  itimerval v;
  if (!p.fetch(v)) return;
  p.put("{it_interval=");
  print_timeval(p, v.it_interval.tv_sec, v.it_interval.tv_usec);
  p.put(", it_value=");
  print_timeval(p, v.it_value.tv_sec, v.it_value.tv_usec);
  p.put("}");
}

void format_ITIMERSPEC(Printer& p) {
  itimerspec v;
  if (!p.fetch(v)) return;
  p.put("{it_interval=");
  print_timespec(p, v.it_interval.tv_sec, v.it_interval.tv_nsec);
  p.put(", it_value=");
  print_timespec(p, v.it_value.tv_sec, v.it_value.tv_nsec);
  p.put("}");
}

void format_TIMEX(Printer& p) {
  if (p.entry()) {
    p.defer();
    return;
  }
  timex t;
  if (p.failed()) {
    p.address(p.value());
    return;
  }
  if (!p.fetch(t)) return;
  p.put("{modes=");
  p.flags(FlagFamily::timex_modes, t.modes);
  p.print(", offset={}, freq={}, maxerror={}, esterror={}, status=", t.offset, t.freq, t.maxerror,
          t.esterror);
  p.flags(FlagFamily::timex_status, static_cast<uint32_t>(t.status));
  p.print(", constant={}, precision={}, tolerance={}, time=", t.constant, t.precision, t.tolerance);
  print_timeval(p, t.time.tv_sec, t.time.tv_usec);
  p.print(
      ", tick={}, ppsfreq={}, jitter={}, shift={}, stabil={}, jitcnt={}, calcnt={}, errcnt={}, stbcnt={}, "
      "tai={}}}",
      t.tick, t.ppsfreq, t.jitter, t.shift, t.stabil, t.jitcnt, t.calcnt, t.errcnt, t.stbcnt, t.tai);
}

void format_TMS(Printer& p) {
  tms t;
  if (!p.fetch(t)) return;
  const std::pair<const char*, clock_t> fields[] = {{"{tms_utime=", t.tms_utime},
                                                    {", tms_stime=", t.tms_stime},
                                                    {", tms_cutime=", t.tms_cutime},
                                                    {", tms_cstime=", t.tms_cstime}};
  for (const auto& [name, ticks] : fields) {
    p.put(name);
    print_clock_t(p, static_cast<uint64_t>(ticks));
  }
  p.put("}");
}

void format_CLOCK_ID(Printer& p) { p.name(FlagFamily::clock_id, p.value()); }

}  // namespace starry::trace
