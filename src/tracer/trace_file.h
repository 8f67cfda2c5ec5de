// A file (or a command's standard input) that text is appended to through a buffer.
#pragma once

#include <string>
#include <string_view>

#include "emulated_kernel/trace/line_writer.h"
#include "tracer/owned_fd.h"

namespace starry {

class TraceFile final : public TraceSink {
 public:
  // Creates `path`; "-": standard error; "|command": what sh -c command reads. StartError, naming `option`.
  TraceFile(const std::string& path, std::string option);
  // Writes the rest; waits until the command has ended.
  ~TraceFile() override;
  void write(std::string_view text) override;
  void flush();

 private:
  void start_command(const std::string& command);

  OwnedFd file_;
  std::string path_, option_, buffer_;
  int command_pid_ = 0;
  bool incomplete_ = false;  // and said so
};

}  // namespace starry
