#include "objects.h"

#include <fmt/format.h>

namespace starry::diff {

Objects::Objects(Log& log, Strings& strings)
    : log_(log), strings_(strings), spaces_(log.tasks.size()), tables_(log.tasks.size()) {
  log_.objects.assign(1, {});
}

uint32_t Objects::make(RefKind kind, std::string_view label) {
  log_.objects.push_back({kind, strings_.intern(label)});
  return static_cast<uint32_t>(log_.objects.size() - 1);
}

AddressSpace& Objects::space(uint32_t task) {
  if (!spaces_[task]) begin(task);
  return *spaces_[task];
}

FdTable& Objects::fds(uint32_t task) {
  if (!tables_[task]) begin(task);
  return *tables_[task];
}

void Objects::begin(uint32_t task) {
  const Task& t = log_.tasks[task];
  const bool has_parent = t.parent != NO_TASK && t.parent < task && spaces_[t.parent] && tables_[t.parent];
  if (has_parent) {
    created(t.parent, task, t.thread, t.thread);
  } else {
    spaces_[task] = std::make_shared<AddressSpace>();
    tables_[task] = std::make_shared<FdTable>();
  }
}

void Objects::created(uint32_t parent, uint32_t child, bool share_memory, bool share_fds) {
  if (spaces_[child]) return;  // seen already
  space(parent);
  spaces_[child] = share_memory ? spaces_[parent] : std::make_shared<AddressSpace>(*spaces_[parent]);
  tables_[child] = share_fds ? tables_[parent] : std::make_shared<FdTable>(*tables_[parent]);
}

void Objects::executed(uint32_t task) {
  space(task);
  spaces_[task] = std::make_shared<AddressSpace>();
  tables_[task] = std::make_shared<FdTable>(*tables_[task]);
}

Ref Objects::address(uint32_t task, uint64_t value) {
  Ref r{RefKind::address, 0, static_cast<int64_t>(value)};
  const AddressSpace& s = space(task);
  if (s.brk != 0 && value >= s.brk_start && value <= s.brk_end) {
    r.object = s.brk;
    r.value = static_cast<int64_t>(value - s.brk_start);
    return r;
  }
  auto it = s.regions.upper_bound(value);
  if (it == s.regions.begin()) return r;
  --it;
  if (value > it->second.end) return r;
  r.object = it->second.object;
  r.value = static_cast<int64_t>(value - it->second.base);
  return r;
}

Ref Objects::fd(uint32_t task, int number) {
  uint32_t& object = fds(task).objects[number];
  if (object == 0) object = make(RefKind::fd, fmt::format("fd {}", number));
  return {RefKind::fd, object, number};
}

Ref Objects::new_fd(uint32_t task, int number, std::string_view label) {
  const uint32_t object = make(RefKind::fd, label);
  fds(task).objects[number] = object;
  return {RefKind::fd, object, number};
}

void Objects::close_fd(uint32_t task, int number) { fds(task).objects.erase(number); }

void Objects::dup_fd(uint32_t task, int from, int to) {
  const uint32_t object = fd(task, from).object;
  const Id label = log_.objects[object].label;
  const uint32_t copy = new_fd(task, to, strings_[label]).object;
  log_.objects[copy].origin = log_.objects[object].origin != 0 ? log_.objects[object].origin : object;
}

Ref Objects::map(uint32_t task, uint64_t at, uint64_t length, bool inside, bool arena) {
  // MAP_FIXED within a region (a segment of a library) stays part of it.
  if (inside)
    if (const Ref r = address(task, at); r.object != 0) return r;
  AddressSpace& s = space(task);
  unmap(task, at, length);
  const uint32_t object = make(RefKind::address, fmt::format("mmap {}", ++s.maps));
  log_.objects[object].arena = arena;
  s.regions[at] = {at + length, at, object};
  return {RefKind::address, object, 0};
}

void Objects::unmap(uint32_t task, uint64_t at, uint64_t length) {
  constexpr uint64_t PAGE = 4096;
  AddressSpace& s = space(task);
  const uint64_t end = (at + length + PAGE - 1) & ~(PAGE - 1);
  if (end <= at) return;
  auto it = s.regions.upper_bound(at);
  if (it != s.regions.begin()) --it;
  while (it != s.regions.end() && it->first < end) {
    const uint64_t start = it->first;
    const Region region = it->second;
    if (region.end <= at) {
      ++it;
      continue;
    }
    it = s.regions.erase(it);
    if (start < at) s.regions[start] = {at, region.base, region.object};
    if (region.end > end) {
      s.regions[end] = region;
      break;
    }
  }
}

Ref Objects::brk(uint32_t task, uint64_t result) {
  AddressSpace& s = space(task);
  if (s.brk == 0) {
    s.brk = make(RefKind::address, "brk");
    s.brk_start = s.brk_end = result;
  }
  if (result > s.brk_end) s.brk_end = result;
  return {RefKind::address, s.brk, static_cast<int64_t>(result - s.brk_start)};
}

}  // namespace starry::diff
