// Why a program could not be started, for people and as an exit status.
#pragma once

#include <string>
#include <vector>

#include "tracer/guest_tree.h"

namespace starry {

struct SpawnFailure {
  int status;  // EXIT_NOT_FOUND or EXIT_CANNOT_RUN
  std::string message;
};

// `error`: what spawn_process() reported for `program` with this environment, started in `cwd`.
SpawnFailure explain_spawn_failure(int error, const std::string& program, const std::vector<std::string>& env,
                                   const std::string& cwd, const GuestTree& tree);

}  // namespace starry
