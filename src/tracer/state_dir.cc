#include "tracer/state_dir.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tracer/start_error.h"

namespace starry {
namespace {

namespace fs = std::filesystem;

std::string state_home() {
  if (const char* xdg = getenv("XDG_STATE_HOME"); xdg != nullptr && xdg[0] == '/') return xdg;
  const char* home = getenv("HOME");
  if (home == nullptr || home[0] != '/') {
    const passwd* pw = getpwuid(getuid());
    if (pw == nullptr) start_error("neither XDG_STATE_HOME nor HOME is set: use --upper DIR");
    home = pw->pw_dir;
  }
  return std::string(home) + "/.local/state";
}

}  // namespace

StateDir::StateDir(Options& options) {
  reserve_name(options);
  if (options.upper.empty()) {
    make_default(options);
  } else {
    std::error_code ec;
    fs::create_directories(options.upper, ec);
    if (ec) start_error("--upper {}: {}", options.upper, ec.message());
    dir_ = fs::canonical(options.upper, ec);
    if (ec) start_error("--upper {}: {}", options.upper, ec.message());
  }
  if (!dir_lock_.take(dir_)) start_error("{} is in use by another starryrun", dir_);
  probe();
}

StateDir::~StateDir() {
  std::error_code ec;
  if (made_up_ && !keep_) fs::remove_all(dir_, ec);
}

void StateDir::reserve_name(Options& options) {
  const std::string base = options.name;
  for (int suffix = 2; !name_lock_.take(runtime_dir() + "/" + options.name + ".lock"); ++suffix) {
    if (options.name_given) start_error("an instance named '{}' is running already", options.name);
    options.name = fmt::format("{}-{}", base, suffix);
  }
  name_lock_.remove_on_release();
}

void StateDir::make_default(const Options& options) {
  const std::string parent = state_home() + "/starryrun";
  std::error_code ec;
  fs::create_directories(parent, ec);
  if (ec) start_error("cannot create {}: {} (use --upper DIR)", parent, ec.message());
  std::string dir = parent + "/" + options.name;
  bool fresh = mkdir(dir.c_str(), 0700) == 0;
  // A name that we made up must not bring back what an earlier instance with that name left.
  for (int suffix = 2; !fresh && errno == EEXIST && !options.name_given; ++suffix) {
    dir = fmt::format("{}/{}-{}", parent, options.name, suffix);
    fresh = mkdir(dir.c_str(), 0700) == 0;
  }
  if (!fresh && errno != EEXIST) start_error("cannot create {}: {} (use --upper DIR)", dir, strerror(errno));
  made_up_ = fresh;
  dir_ = dir;
}

// Better to learn now that nothing can be written than in the middle of the guest's work.
void StateDir::probe() const {
  const std::string path = dir_ + "/.starryrun-probe";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  static constexpr std::array<char, 4096> ZEROS{};
  int error = fd < 0 ? errno : 0;
  if (error == 0 && write(fd, ZEROS.data(), ZEROS.size()) != static_cast<ssize_t>(ZEROS.size()))
    error = errno != 0 ? errno : ENOSPC;
  if (fd >= 0) {
    close(fd);
    unlink(path.c_str());
  }
  if (error != 0) start_error("cannot write to {}: {}", dir_, strerror(error));
}

}  // namespace starry
