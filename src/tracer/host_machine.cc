// What the machine below looks like: memory, processors, resident pages. Read from the host's procfs.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "tracer/host_platform.h"

namespace starry {

Platform::HostMemory HostPlatform::host_memory() {
  HostMemory m;
  std::ifstream in("/proc/meminfo");
  std::string key, unit;
  uint64_t kb = 0;
  while (in >> key >> kb) {
    std::getline(in, unit);
    if (key == "MemTotal:") m.total = kb * 1024;
    if (key == "MemFree:") m.free = kb * 1024;
    if (key == "MemAvailable:") m.available = kb * 1024;
    if (key == "Buffers:") m.buffers = kb * 1024;
    if (key == "Cached:") {
      m.cached = kb * 1024;
      break;
    }
  }
  return m;
}

std::string HostPlatform::host_cpuinfo() {
  std::ifstream in("/proc/cpuinfo");
  std::string block, line;
  while (std::getline(in, line) && !line.empty()) block += line + "\n";
  return block;
}

uint64_t HostPlatform::resident_bytes(HostSpace& space) {
  const std::string path = fmt::format("/proc/{}/statm", space.host_pid());
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[128];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  const char* second = strchr(text, ' ');
  return second != nullptr ? strtoull(second, nullptr, 10) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

size_t HostPlatform::page_map(HostSpace& space, uint64_t addr, std::span<uint64_t> entries) {
  constexpr uint64_t FRAME_NUMBER = (1ULL << 55) - 1;  // only root would see it
  const std::string path = fmt::format("/proc/{}/pagemap", space.host_pid());
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n =
      pread(fd, entries.data(), entries.size_bytes(), static_cast<off_t>(addr / 4096 * sizeof entries[0]));
  close(fd);
  const size_t count = n > 0 ? static_cast<size_t>(n) / sizeof entries[0] : 0;
  for (uint64_t& e : entries.first(count)) e &= ~FRAME_NUMBER;
  return count;
}

}  // namespace starry
