// What a log says: events of tasks, whatever format it had.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "strings.h"

namespace starry::diff {

enum class EventType : uint8_t { call, signal, exit, killed, exec, stop };

// Something whose number differs between runs although it is the same thing.
enum class RefKind : uint8_t { address, fd };
struct Ref {
  RefKind kind = RefKind::address;
  uint32_t object = 0;  // index in Log::objects; 0: unknown
  int64_t value = 0;    // a descriptor's number; an address, or its offset in a known region
};

enum EventFlag : uint16_t {
  EV_UNFINISHED = 1,  // never returned in this log
  EV_TORN = 2,      // program output was written into the middle of the line: the last argument is uncertain
  EV_NO_ENTRY = 4,  // only the second half of the call is there
  EV_RAW = 8,       // arguments are numbers; "?" stands for what they point to
  EV_FAILED = 16,   // returned -1 with an errno, or a restart code
  EV_WAIT = 32,     // a call that waits for something, with an ordinary result
  EV_IDLE = 64,     // a call that changes nothing: fold.h
  EV_HEAP = 128,    // malloc's share-out: brk, and what it does within reserved room
};

struct Event {
  std::string_view args;        // what is between the parentheses; of a signal, exit, ...: the text
  std::string_view ret;         // what follows "= "
  int64_t start = -1;           // ns; -1: the log has no times
  int64_t duration = -1;        // ns
  uint32_t line = 0;            // where it begins, from 1
  uint32_t end_line = 0;        // where it ends (the line that says "resumed")
  uint32_t task = 0;            // index in Log::tasks
  Id name = 0;                  // of the call; of a signal its name
  Id error = 0;                 // "ENOENT", or 0
  int64_t number = 0;           // the result as a number, if it is one
  uint64_t key = 0;             // hash of the call with its stable arguments: what alignment compares
  uint32_t first_arg = 0;       // in Log::args
  uint32_t first_ref = 0;       // in Log::refs; the result's own reference, if any, is the last
  uint32_t extra = UINT32_MAX;  // index in Log::extras: what only starryrun's JSON knows
  uint16_t flags = 0;
  int16_t cpu = -1;
  EventType type = EventType::call;
  uint8_t arg_count = 0;
  uint8_t ref_count = 0;
  bool ret_is_ref = false;

  bool has(EventFlag f) const { return flags & f; }
};

constexpr char ADDRESS_MARK = '\x01', FD_MARK = '\x02';

// An argument: its text with what differs between runs replaced by marks, and what it is.
struct Arg {
  Id text = 0;          // ADDRESS_MARK and FD_MARK stand for the references, in their order
  bool output = false;  // written by the kernel: part of the result, not of the call
};

struct Span {
  Id on = 0;  // "futex", "pipe", ...
  int64_t from = 0, to = 0;
};
struct Extra {
  std::vector<Span> blocked, preempted;
};

constexpr uint32_t NO_TASK = UINT32_MAX;

struct Task {
  int tid = 0;
  int tgid = 0;               // number of the process; tid of its first thread
  uint32_t parent = NO_TASK;  // the task that created it
  uint32_t leader = 0;        // the task that began its process (itself, if a process)
  bool thread = false;
  Id name = 0;                     // the last name that the log knows: PR_SET_NAME, or what was executed
  std::vector<uint32_t> events;    // indices into Log::events
  std::vector<uint32_t> children;  // in order of birth
};

struct BadLine {
  uint32_t line;
  std::string why;
};

// What references are made to: a mapped region, an open file.
struct Object {
  RefKind kind = RefKind::address;
  Id label = 0;         // "mmap 3", "/etc/passwd", "pipe2", ...
  uint32_t origin = 0;  // of a copy (dup): the object that was copied; 0: itself
  bool arena = false;   // a region that malloc reserves for a thread: where it begins depends on chance
};

struct Log {
  std::string path;
  std::string format;         // "strace", "starryrun JSON", "kernel log"
  std::vector<Event> events;  // in the order in which they began
  std::vector<Task> tasks;
  std::vector<Arg> args;
  std::vector<Ref> refs;
  std::vector<Object> objects;  // Ref::object is an index; 0 is nothing
  std::vector<Extra> extras;
  std::vector<BadLine> bad;  // lines that are in no known form: at most MAX_BAD of them
  uint64_t bad_count = 0;
  uint64_t lines = 0, output_lines = 0, joined = 0;
  std::string ending;  // how the log ends if not with an exit: "Page fault ..., panicked ..."
  uint32_t ending_line = 0;
  int cpus = 0;
  bool first_task_only = false;  // strace without -f, of a program that made others
  bool raw = false;              // a kernel log: arguments are numbers
  Arena arena;                   // text that is not in the file as it stands
  std::vector<std::shared_ptr<const std::string>> files;
  std::vector<std::shared_ptr<const Log>> parts;  // of a set FILE.PID: their text is used here

  static constexpr size_t MAX_BAD = 1000;
  void report_bad(uint32_t line, std::string why) {
    bad_count++;
    if (bad.size() < MAX_BAD) bad.push_back({line, std::move(why)});
  }
};

// The event as strace would write it.
std::string event_text(const Event& e, const Strings& strings);

}  // namespace starry::diff
