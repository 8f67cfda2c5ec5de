// Sockets in flight: an AF_UNIX socket that was sent over a socket lives as long as the message. If the
// only way to a set of sockets is through each other's queues, nobody can ever receive them; they are
// found by counting, as in Linux's net/unix/garbage.c, and their queues are emptied.
#include <unordered_map>
#include <unordered_set>

#include "netstack/unix_socket.h"

namespace starry {

namespace {
int in_flight = 0;
}

int unix_files_in_flight() { return in_flight; }
void unix_note_in_flight(int delta) { in_flight += delta; }

void UnixSocket::for_each_in_flight(const std::function<void(File&)>& fn) {
  for (const auto& msg : queue_)
    for (const auto& f : msg->files) fn(*f);
  for (const auto& child : accept_queue_) child->for_each_in_flight(fn);
}

void UnixSocket::drop_in_flight(std::vector<Ref<File>>* out) {
  for (const auto& msg : queue_) {
    unix_note_in_flight(-static_cast<int>(msg->files.size()));
    std::move(msg->files.begin(), msg->files.end(), std::back_inserter(*out));
    msg->files.clear();
  }
  for (const auto& child : accept_queue_) child->drop_in_flight(out);
}

void unix_collect_garbage() {
  static bool collecting = false;
  if (collecting) return;
  collecting = true;
  // References that a socket has from queues; more than that means somebody holds it otherwise.
  std::unordered_map<File*, uint32_t> queued;
  std::vector<UnixSocket*> sockets;
  for_each_socket([&](Socket& s) {
    auto* u = dynamic_cast<UnixSocket*>(&s);
    if (u == nullptr) return;
    sockets.push_back(u);
    u->for_each_in_flight([&](File& f) { queued[&f]++; });
  });
  std::unordered_set<File*> reachable;
  std::vector<UnixSocket*> todo;
  auto reach = [&](File& f) {
    auto* u = dynamic_cast<UnixSocket*>(&f);
    if (u != nullptr && reachable.insert(u).second) todo.push_back(u);
  };
  for (UnixSocket* u : sockets) {
    const auto it = queued.find(u);
    if (it == queued.end() || u->ref_count() > it->second) reach(*u);
  }
  while (!todo.empty()) {
    UnixSocket* u = todo.back();
    todo.pop_back();
    u->for_each_in_flight(reach);
  }
  std::vector<Ref<File>> garbage;
  for (UnixSocket* u : sockets)
    if (!reachable.contains(u)) u->drop_in_flight(&garbage);
  garbage.clear();
  collecting = false;
}

}  // namespace starry
