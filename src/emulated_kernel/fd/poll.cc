#include "emulated_kernel/fd/poll.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <vector>

namespace starry {

namespace {

// Which readiness makes a bit in which set (fs/select.c).
constexpr uint32_t IN_SET = EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR | POLLNVAL;
constexpr uint32_t OUT_SET = EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR | POLLNVAL;
constexpr uint32_t EX_SET = EPOLLPRI | POLLNVAL;

// The file, unless the descriptor is closed or only names a place (O_PATH).
File* pollable(const FdTable& files, int fd) {
  File* f = files.get(fd);
  return f != nullptr && (f->flags() & O_PATH) == 0 ? f : nullptr;
}

}  // namespace

PollSet::PollSet(size_t max_files) : next_(few_.data()), sleeper_(&current_sleeper()) {
  if (max_files > few_.size()) {
    many_ = std::make_unique<Entry[]>(max_files);
    next_ = many_.get();
  }
}

bool PollSet::Entry::on_wake(uint32_t events) {
  if ((events & wanted) == 0) return false;
  set->woken_ = true;
  set->sleeper_->wake_up();
  return true;
}

void PollSet::watch(File& file, uint32_t events) {
  WaitQueue* queue = file.poll_queue();
  if (queue == nullptr) return;
  Entry& e = *next_++;
  e.set = this;
  e.wanted = events;
  e.file = &file;
  queue->add(e);
}

Result<int> poll_fds(const FdTable& files, std::span<pollfd> fds, Deadline deadline) {
  return poll_loop(fds.size(), deadline, [&](PollSet* set) {
    int ready = 0;
    for (pollfd& p : fds) {
      p.revents = 0;
      if (p.fd < 0) continue;
      const uint32_t wanted = static_cast<uint16_t>(p.events) | EPOLLERR | EPOLLHUP;
      if (File* f = pollable(files, p.fd)) {
        p.revents = static_cast<int16_t>(f->poll() & wanted);
        if (set != nullptr) set->watch(*f, wanted);
      } else {
        p.revents = POLLNVAL;
      }
      if (p.revents != 0) ++ready;
    }
    return ready;
  });
}

Result<int> select_fds(const FdTable& files, int n, const SelectSets& sets, Deadline deadline) {
  const auto words = static_cast<size_t>(n + 63) / 64;
  const auto word = [&](const uint64_t* s, size_t i) {
    // Bits from n on are not looked at.
    const uint64_t valid = i + 1 == words && n % 64 != 0 ? (1ULL << (n % 64)) - 1 : ~0ULL;
    return s != nullptr ? s[i] & valid : 0;
  };
  size_t given = 0;
  for (size_t i = 0; i < words; ++i) {
    for (uint64_t left = word(sets.in, i) | word(sets.out, i) | word(sets.ex, i); left != 0;
         left &= left - 1, ++given)
      if (pollable(files, static_cast<int>(i * 64) + __builtin_ctzll(left)) == nullptr) return Error{EBADF};
  }

  std::array<uint64_t, 3 * 16> small;
  std::vector<uint64_t> large(words > 16 ? 3 * words : 0);
  uint64_t* const in = large.empty() ? small.data() : large.data();
  uint64_t* const out = in + words;
  uint64_t* const ex = out + words;

  const int ready = TRY(poll_loop(given, deadline, [&](PollSet* set) {
    int count = 0;
    for (size_t i = 0; i < words; ++i) {
      in[i] = out[i] = ex[i] = 0;
      const uint64_t want_in = word(sets.in, i), want_out = word(sets.out, i), want_ex = word(sets.ex, i);
      for (uint64_t left = want_in | want_out | want_ex; left != 0; left &= left - 1) {
        const int bit = __builtin_ctzll(left);
        const uint64_t mask = 1ULL << bit;
        const uint32_t wanted = ((want_in & mask) != 0 ? IN_SET : 0) |
                                ((want_out & mask) != 0 ? OUT_SET : 0) | ((want_ex & mask) != 0 ? EX_SET : 0);
        File* f = pollable(files, static_cast<int>(i * 64) + bit);
        const uint32_t now = (f != nullptr ? f->poll() : static_cast<uint32_t>(POLLNVAL)) & wanted;
        if (f != nullptr && set != nullptr) set->watch(*f, wanted | EPOLLERR | EPOLLHUP);
        const auto report = [&](uint64_t* result, uint64_t want, uint32_t set_mask) {
          if ((want & mask) == 0 || (now & set_mask) == 0) return;
          result[i] |= mask;
          ++count;
        };
        report(in, want_in, IN_SET);
        report(out, want_out, OUT_SET);
        report(ex, want_ex, EX_SET);
      }
    }
    return count;
  }));

  const auto store = [&](uint64_t* to, const uint64_t* from) {
    if (to != nullptr) std::copy_n(from, words, to);
  };
  store(sets.in, in);
  store(sets.out, out);
  store(sets.ex, ex);
  return ready;
}

}  // namespace starry
