#include "tracer/stub_answers.h"

#include <sys/syscall.h>

#include <cstring>

#include "emulated_kernel/entry/watched.h"
#include "emulated_kernel/task/process.h"

namespace starry {

using namespace chan;

namespace {

struct Answer {
  int nr;
  uint32_t (*value)(const Task& t);  // as the handler of the call returns it
};

constexpr Answer ANSWERS[] = {
    {SYS_getpid, [](const Task& t) { return static_cast<uint32_t>(t.group->own_tgid); }},
    {SYS_gettid, [](const Task& t) { return static_cast<uint32_t>(t.own_tid); }},
    {SYS_getppid, [](const Task& t) { return static_cast<uint32_t>(t.shown_pid(t.group->parent->tgid)); }},
    {SYS_getuid, [](const Task& t) { return t.cred->user_ns->uid(t.cred->uid); }},
    {SYS_geteuid, [](const Task& t) { return t.cred->user_ns->uid(t.cred->euid); }},
    {SYS_getgid, [](const Task& t) { return t.cred->user_ns->gid(t.cred->gid); }},
    {SYS_getegid, [](const Task& t) { return t.cred->user_ns->gid(t.cred->egid); }},
};
static_assert(std::size(ANSWERS) == ANSWER_COUNT);

}  // namespace

bool StubAnswers::enabled = true;

void StubAnswers::update(InfoPage& info) {
  for (size_t i = 0; i < std::size(ANSWERS); ++i) {
    const int nr = ANSWERS[i].nr;
    const auto wanted = enabled && !call_is_watched(nr) ? static_cast<uint8_t>(i + 1) : uint8_t{0};
    if (info.answer[nr] != wanted) info.answer[nr] = wanted;
  }
  const uint32_t futex = enabled && !call_is_watched(SYS_futex) ? 1 : 0;
  if (info.futex_answers != futex) info.futex_answers = futex;
}

void StubAnswers::publish(const Task& t, Channel* ch, Answers& last) {
  if (!t.group || t.group->parent == nullptr || !t.cred) return;
  Answers now;
  now.valid = 1;
  for (size_t i = 0; i < std::size(ANSWERS); ++i) now.value[i] = ANSWERS[i].value(t);
  if (std::memcmp(&now, &last, sizeof now) == 0) return;
  last = now;
  for (size_t i = 0; i < std::size(ANSWERS); ++i)
    __atomic_store_n(&ch->answers.value[i], now.value[i], __ATOMIC_RELAXED);
  __atomic_store_n(&ch->answers.valid, 1, __ATOMIC_RELEASE);
}

}  // namespace starry
