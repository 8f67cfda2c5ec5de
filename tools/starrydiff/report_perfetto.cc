// The JSON trace format that ui.perfetto.dev and chrome://tracing read; times in microseconds.
#include <fmt/format.h>

#include "report.h"
#include "timeline.h"

namespace starry::diff {

void report_perfetto(const std::string& path, const Log& log, const Strings& strings) {
  const auto lanes = timeline(log);
  if (lanes.empty())
    throw ReportError(log.path + ": has no times: write the log with -ttt -T, or --trace-json");
  OutFile out(path);
  out.write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
  constexpr int CPU_PROCESS = 1'000'000'000;  // a process of its own for the CPUs
  bool first = true, cpus = false;
  const auto event = [&](const std::string& s) {
    out.write(first ? "" : ",\n");
    out.write(s);
    first = false;
  };
  for (size_t t = 0; t < lanes.size(); t++) {
    const Task& task = log.tasks[t];
    if (lanes[t].empty()) continue;
    event(fmt::format(R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}}}})",
                      task.tgid, task.tid, json_string(strings[task.name])));
    if (!task.thread)
      event(fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":{}}}}})", task.tgid,
                        json_string(strings[task.name])));
    for (const Stretch& s : lanes[t]) {
      static constexpr const char* KIND[] = {"running", "", "blocked on ", "preempted"};
      std::string name = KIND[static_cast<int>(s.activity)];
      name += strings[s.what];
      const std::string times = fmt::format(R"("ts":{:.3f},"dur":{:.3f})", static_cast<double>(s.from) / 1e3,
                                            static_cast<double>(s.to - s.from) / 1e3);
      std::string args;
      if (s.activity == Activity::call)
        args =
            fmt::format(",\"args\":{{\"call\":{}}}", json_string(event_text(log.events[s.event], strings)));
      event(fmt::format(R"({{"ph":"X","name":{},"pid":{},"tid":{},{}{}}})", json_string(name), task.tgid,
                        task.tid, times, args));
      if (s.cpu >= 0 && (s.activity == Activity::run || s.activity == Activity::call)) {
        cpus = true;
        event(fmt::format(R"({{"ph":"X","name":{},"pid":{},"tid":{},{}}})",
                          json_string(fmt::format("{} {}", strings[task.name], task.tid)), CPU_PROCESS, s.cpu,
                          times));
      }
    }
  }
  if (cpus)
    event(
        fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"args":{{"name":"CPUs"}}}})", CPU_PROCESS));
  out.write("\n]}\n");
  out.close();
}

}  // namespace starry::diff
