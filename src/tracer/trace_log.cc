#include "tracer/trace_log.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "emulated_kernel/base/log.h"
#include "emulated_kernel/platform.h"
#include "emulated_kernel/trace/json.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

constexpr size_t WORTH_WAKING = 1 << 18, QUEUE_LIMIT = 1 << 26;  // bytes of records
constexpr auto LATENCY = std::chrono::milliseconds(50);
// The guest comes first; when the queue is full the kernel thread waits for us all the same.
constexpr int NICE = 5;

std::string json_head(const std::vector<std::string>& program, int cpus, uint64_t realtime_ns) {
  std::string words = "[";
  for (const std::string& word : program) words += (words.size() > 1 ? "," : "") + trace::json_string(word);
  trace::JsonObject o;
  o.add("type", "start");
  o.number("version", 1);
  o.raw("program", words + "]");
  o.number("cpus", cpus);
  o.number("time", static_cast<int64_t>(realtime_ns));
  return o.text() + "\n";
}

}  // namespace

TraceLog::TraceLog(const TraceSetup& setup, const std::vector<std::string>& program, int cpus)
    : path_(setup.file), per_thread_(setup.per_thread) {
  open_files(setup);
  timespec real{}, monotonic{};
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_MONOTONIC, &monotonic);
  const auto ns = [](const timespec& t) {
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
  };
  if (json_ != nullptr) json_->write(json_head(program, cpus, ns(real)));
  writer_ = std::make_unique<trace::LogWriter>(setup.options, outputs(), ns(monotonic), ns(real));
  thread_ = std::thread([this] { run(); });
}

TraceLog::~TraceLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_one();
  thread_.join();
  notices_->say();  // the kernel's loop may be over
}

void TraceLog::Notices::say() {
  std::vector<std::string> said;
  {
    const std::lock_guard lock(mutex);
    said.swap(texts);
  }
  for (const std::string& text : said) klog(LogLevel::warn, "{}", text);
}

void TraceLog::open_files(const TraceSetup& setup) {
  if (!setup.json.empty()) json_ = std::make_unique<TraceFile>(setup.json, "--trace-json");
  if (setup.per_thread) {
    if (setup.file.find('/') != std::string::npos &&
        access(setup.file.substr(0, setup.file.rfind('/') + 1).c_str(), W_OK) != 0)
      start_error("-o {}: {}", setup.file, strerror(errno));
  } else if (!setup.file.empty() || setup.summary_only()) {
    file_ = std::make_unique<TraceFile>(setup.file.empty() ? "-" : setup.file, "-o");
  }
}

trace::LogOutputs TraceLog::outputs() {
  trace::LogOutputs out;
  if (file_ != nullptr || per_thread_) out.lines = [this](pid_t tid) { return lines_of(tid); };
  out.thread_done = [this](pid_t tid) { thread_files_.erase(tid); };
  out.summary = file_.get();
  out.json = json_.get();
  out.notice = [this](const std::string& text) {
    {
      const std::lock_guard lock(notices_->mutex);
      notices_->texts.push_back(text);
    }
    platform().post([notices = notices_] { notices->say(); });
  };
  return out;
}

TraceSink* TraceLog::lines_of(pid_t tid) {
  if (!per_thread_) return file_.get();
  std::unique_ptr<TraceFile>& file = thread_files_[tid];
  try {
    if (file == nullptr) file = std::make_unique<TraceFile>(fmt::format("{}.{}", path_, tid), "-o");
  } catch (const StartError& e) {
    platform().post([text = std::string(e.what())] { klog(LogLevel::error, "{}", text); });
    file = std::make_unique<TraceFile>("/dev/null", "-o");
  }
  return file.get();
}

void TraceLog::push(std::string_view record) {
  std::unique_lock lock(mutex_);
  if (queue_.size() > QUEUE_LIMIT) {
    work_.notify_one();
    progress_.wait(lock, [this] { return queue_.size() <= QUEUE_LIMIT; });
  }
  const bool wake = queue_.size() < WORTH_WAKING && queue_.size() + record.size() >= WORTH_WAKING;
  queue_ += record;
  lock.unlock();
  if (wake) work_.notify_one();
}

void TraceLog::set_options(const TraceOptions& options) {
  std::unique_lock lock(mutex_);
  wanted_ = true;
  work_.notify_one();
  progress_.wait(lock, [this] { return queue_.empty() && !rendering_; });
  wanted_ = false;
  writer_->set_options(options);
}

void TraceLog::run() {
  prctl(PR_SET_NAME, "starry-trace");
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), NICE);
  std::string records;
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait_for(lock, LATENCY, [this] { return stop_ || wanted_ || queue_.size() >= WORTH_WAKING; });
    records.clear();
    std::swap(records, queue_);
    const bool last = stop_;
    rendering_ = true;
    lock.unlock();
    progress_.notify_all();
    render(records);
    lock.lock();
    rendering_ = false;
    progress_.notify_all();
    if (last) break;
    // The same request again is not worth a turn: its maker is awake by now.
    if (wanted_) progress_.wait_for(lock, LATENCY, [this] { return !wanted_ || !queue_.empty(); });
  }
  writer_->finish();
  for (auto& [tid, file] : thread_files_) file->flush();
}

void TraceLog::render(std::string_view records) {
  if (records.empty()) return;
  RecordView view;
  while (view.next(records)) writer_->take(view);
  if (file_ != nullptr) file_->flush();
  if (json_ != nullptr) json_->flush();
  for (auto& [tid, file] : thread_files_) file->flush();
}

}  // namespace starry
