// starryrun: command line in, exit status out. What happens between is in launcher.cc.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "tracer/launcher.h"
#include "tracer/options.h"
#include "tracer/start_error.h"

int main(int argc, char** argv) {
  try {
    const std::optional<starry::Options> options = starry::parse_options(argc, argv);
    return options ? starry::run(*options) : 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "starryrun: {}\n", e.what());
    return starry::EXIT_STARRYRUN_FAILED;
  }
}
