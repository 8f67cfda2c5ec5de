#include "tracer/spawn_failure.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include "tracer/start_error.h"

namespace starry {
namespace {

bool found_in_path(const std::string& program, const std::vector<std::string>& env, const std::string& cwd,
                   const GuestTree& tree) {
  for (const std::string& e : env) {
    if (!e.starts_with("PATH=")) continue;
    std::istringstream dirs(e.substr(5));
    for (std::string dir; std::getline(dirs, dir, ':');)
      if (tree.exists((dir.empty() ? "." : dir) + "/" + program, cwd)) return true;
  }
  return false;
}

}  // namespace

SpawnFailure explain_spawn_failure(int error, const std::string& program, const std::vector<std::string>& env,
                                   const std::string& cwd, const GuestTree& tree) {
  if (program.find('/') == std::string::npos) {
    // execvp(3) says EACCES when a directory of PATH may not be searched. Shells say what matters.
    const bool missing = error == ENOENT || (error == EACCES && !found_in_path(program, env, cwd, tree));
    if (missing) return {EXIT_NOT_FOUND, program + ": command not found"};
  } else if (error == ENOENT && tree.exists(program, cwd)) {
    return {EXIT_NOT_FOUND, program + ": the interpreter that it names does not exist"};
  } else if (error == ENOENT) {
    return {EXIT_NOT_FOUND, program + ": No such file or directory"};
  }
  // execve(2) has given no reason to be EFAULT: arguments and path are ours.
  if (error == EFAULT) return {EXIT_CANNOT_RUN, program + ": the file ends before its last segment"};
  return {EXIT_CANNOT_RUN, program + ": " + strerror(error)};
}

}  // namespace starry
