#include "tracer/channel_memory.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace starry {

using namespace chan;

namespace {

constexpr size_t MAX_SPARE = 2;
constexpr size_t HOST_PAGE = 4096;

}  // namespace

ChannelMemory ChannelMemory::make() {
  ChannelMemory m;
  m.fd_ = OwnedFd(memfd_create("starry-channels", MFD_CLOEXEC));
  if (!m.fd_ || ftruncate(m.fd(), static_cast<off_t>(MAX_SLOTS * CHANNEL_SIZE)) != 0) return m;
  void* p =
      mmap(nullptr, MAX_SLOTS * CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m.fd(), 0);
  if (p != MAP_FAILED) m.at_ = static_cast<uint8_t*>(p);
  return m;
}

ChannelMemory& ChannelMemory::operator=(ChannelMemory&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(at_, o.at_);
  return *this;
}

ChannelMemory::~ChannelMemory() {
  if (at_ != nullptr) munmap(at_, MAX_SLOTS * CHANNEL_SIZE);
}

// The guest may have written anywhere: the host tells which pages there are.
bool ChannelMemory::clear(uint32_t slot) {
  constexpr size_t PAGES = CHANNEL_SIZE / HOST_PAGE;
  uint8_t* const start = at_ + slot * CHANNEL_SIZE;
  unsigned char present[PAGES];
  struct stat st {};
  if (mincore(start, CHANNEL_SIZE, present) != 0 || fstat(fd(), &st) != 0) return false;
  size_t cleared = 0;
  for (size_t i = 0; i < PAGES; ++i) {
    if ((present[i] & 1) == 0) continue;
    std::memset(start + i * HOST_PAGE, 0, HOST_PAGE);
    ++cleared;
  }
  return static_cast<size_t>(st.st_blocks) * 512 == cleared * HOST_PAGE;
}

LeftChannels& LeftChannels::instance() {
  static LeftChannels left;
  return left;
}

void LeftChannels::add(int pid, ChannelMemory memory, uint32_t slot, std::shared_ptr<SpareChannels> to) {
  left_.push_back({pid, slot, std::move(memory), std::move(to)});
}

void LeftChannels::process_gone(int pid) {
  const auto it = std::find_if(left_.begin(), left_.end(), [pid](const Left& l) { return l.pid == pid; });
  if (it == left_.end()) return;
  Left l = std::move(*it);
  left_.erase(it);
  reuse(std::move(l.memory), l.slot, *l.to);
}

void LeftChannels::reuse(ChannelMemory memory, uint32_t slot, SpareChannels& to) {
  if (to.size() < MAX_SPARE && memory.clear(slot)) to.push_back(std::move(memory));
}

}  // namespace starry
