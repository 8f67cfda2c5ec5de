// The log of system calls: takes the kernel thread's records and renders them on a thread of its own, so
// that a traced call costs the kernel thread little more than a copy of its arguments.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "emulated_kernel/trace/log_writer.h"
#include "emulated_kernel/trace/record.h"
#include "tracer/trace_file.h"
#include "tracer/trace_setup.h"

namespace starry {

class TraceLog final : public RecordSink {
 public:
  // Opens the files. `program` and `cpus` go into the head of the JSON log. StartError.
  TraceLog(const TraceSetup& setup, const std::vector<std::string>& program, int cpus);
  // Renders what is left, and the summary; waits for the command of -o '|command'.
  ~TraceLog() override;

  // Kernel thread. Waits if the renderer is far behind.
  void push(std::string_view record) override;
  // Waits for the renderer, then lets it go on with other options.
  void set_options(const TraceOptions& options);

 private:
  void open_files(const TraceSetup& setup);
  trace::LogOutputs outputs();
  TraceSink* lines_of(pid_t tid);
  void run();
  void render(std::string_view records);

  // What the renderer has to tell the user. The kernel thread says it, or whoever ends the log.
  struct Notices {
    std::mutex mutex;
    std::vector<std::string> texts;
    void say();
  };
  std::shared_ptr<Notices> notices_ = std::make_shared<Notices>();

  std::string path_;
  bool per_thread_ = false;
  std::unique_ptr<TraceFile> file_, json_;
  std::map<pid_t, std::unique_ptr<TraceFile>> thread_files_;
  std::unique_ptr<trace::LogWriter> writer_;

  std::mutex mutex_;
  std::condition_variable work_, progress_;
  std::string queue_;       // records, one behind the other
  bool rendering_ = false;  // records taken from the queue are being worked on
  bool wanted_ = false;     // somebody waits for the renderer
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace starry
