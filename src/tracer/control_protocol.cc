#include "tracer/control_protocol.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace starry::control {
namespace {

constexpr size_t HEADER = 5;
constexpr size_t MAX_FDS = 16;
constexpr char MESSAGE = 'm', DATA = 'd';

std::string frame(char kind, const char* payload, size_t size) {
  std::string out;
  out.reserve(HEADER + size);
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(size >> shift));
  out.push_back(kind);
  out.append(payload, size);
  return out;
}

}  // namespace

std::string encode(const Message& m) {
  const std::vector<uint8_t> cbor = Message::to_cbor(m);
  return frame(MESSAGE, reinterpret_cast<const char*>(cbor.data()), cbor.size());
}

std::string encode_data(std::string_view bytes) { return frame(DATA, bytes.data(), bytes.size()); }

std::string text(const Message& m, const char* key, const std::string& otherwise) {
  const auto it = m.find(key);
  return it != m.end() && it->is_string() ? it->get<std::string>() : otherwise;
}

int64_t number(const Message& m, const char* key, int64_t otherwise) {
  const auto it = m.find(key);
  return it != m.end() && it->is_number_integer() ? it->get<int64_t>() : otherwise;
}

std::vector<std::string> texts(const Message& m, const char* key) {
  std::vector<std::string> out;
  const auto it = m.find(key);
  if (it == m.end() || !it->is_array()) return out;
  for (const Message& e : *it)
    if (e.is_string()) out.push_back(e.get<std::string>());
  return out;
}

int Parser::receive(int socket, int flags) {
  char bytes[DATA_CHUNK];
  alignas(cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
  iovec iov{bytes, sizeof bytes};
  msghdr m{};
  m.msg_iov = &iov;
  m.msg_iovlen = 1;
  m.msg_control = control;
  m.msg_controllen = sizeof control;
  ssize_t n = -1;
  do n = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n <= 0) return static_cast<int>(n);
  for (cmsghdr* c = CMSG_FIRSTHDR(&m); c != nullptr; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      fds_.emplace_back(fd);
    }
  }
  buffer_.append(bytes, static_cast<size_t>(n));
  return 1;
}

size_t Parser::payload_size() const {
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) size |= static_cast<size_t>(static_cast<uint8_t>(buffer_[i])) << (8 * i);
  return size;
}

bool Parser::has_frame() const {
  return !bad_ && buffer_.size() >= HEADER && buffer_.size() - HEADER >= payload_size();
}

bool Parser::next(Frame& out) {
  if (bad_ || buffer_.size() < HEADER) return false;
  const size_t size = payload_size();
  const char kind = buffer_[4];
  bad_ = size > MAX_FRAME || (kind != MESSAGE && kind != DATA);
  if (bad_ || buffer_.size() < HEADER + size) return false;
  out = Frame();
  out.is_data = kind == DATA;
  const char* payload = buffer_.data() + HEADER;
  if (out.is_data) {
    out.data.assign(payload, size);
  } else {
    out.message = Message::from_cbor(payload, payload + size, true, false);
    bad_ = !out.message.is_object();
    out.fds = std::move(fds_);
    fds_.clear();
  }
  buffer_.erase(0, HEADER + size);
  return !bad_;
}

bool send_all(int socket, std::string_view bytes, std::span<const int> fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {};
  while (!bytes.empty()) {
    iovec iov{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr m{};
    m.msg_iov = &iov;
    m.msg_iovlen = 1;
    if (!fds.empty()) {
      m.msg_control = control;
      m.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* c = CMSG_FIRSTHDR(&m);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
    }
    const ssize_t n = sendmsg(socket, &m, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    fds = {};
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool receive_frame(int socket, Parser& parser, Frame& out) {
  for (;;) {
    if (parser.next(out)) return true;
    if (parser.bad() || parser.receive(socket, 0) <= 0) return false;
  }
}

}  // namespace starry::control
