#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "tracer/ctl/client.h"
#include "tracer/start_error.h"

namespace starry::ctl {

int trace(const TraceCommand& c) {
  if (!c.power.empty() && c.power != "on" && c.power != "off")
    start_error("trace: '{}' is neither on nor off", c.power);
  std::string file = c.file;
  // The instance may have another working directory. Commands and "-" are no paths.
  if (!file.empty() && file != "-" && file.front() != '|') file = std::filesystem::absolute(file);
  Client client(c.instance);
  client.send({{"op", "trace"}, {"power", c.power}, {"expressions", c.expressions}, {"file", file}});
  fmt::print("{}\n", control::text(client.receive().message, "state"));
  return 0;
}

}  // namespace starry::ctl
