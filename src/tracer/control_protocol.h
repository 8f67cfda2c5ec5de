// What starryrun and starryctl say to each other on the control socket (a Unix stream socket).
//
// A stream of frames: length (4 bytes, little endian), kind (1 byte), payload. Kind 'm': a message, a
// JSON object in CBOR form, because arguments and paths are bytes, not Unicode. Kind 'd': bytes of a
// file. Descriptors travel with the first byte of the frame that they belong to.
//
//   request                                                  answers
//   {op: ps}                                                 {name, pid, command, processes: [...]}
//   {op: kill, signal}                                       {ok}
//   {op: trace, power: on|off|"", expressions, file}         {state}
//   {op: exec, argv, env, cwd, uid?, fds: [0, 1, 2],         {started: pid}, then {exit: status}
//    foreground} + descriptors
//     later: {op: signal, signal}, {op: resized}, {op: foreground, value}
//   {op: get, path}                                          entries, then {done}
//   {op: put, path, base}, entries, {op: end}                {ok}
//   entry: {entry: relative path, type: file|dir|link, mode, mtime: [s, ns], target?}, for a file followed
//   by 'd' frames and {eof}.
//   any answer can be {error: text, status: exit status}; {warning: text} may come before.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tracer/owned_fd.h"

namespace starry::control {

using Message = nlohmann::json;

struct Frame {
  bool is_data = false;
  Message message;  // an object, unless is_data
  std::string data;
  std::vector<OwnedFd> fds;
};

inline constexpr size_t MAX_FRAME = 1 << 20;
inline constexpr size_t DATA_CHUNK = 64 << 10;

std::string encode(const Message& m);
std::string encode_data(std::string_view bytes);

// Members of a message from the other side, which may be anything.
std::string text(const Message& m, const char* key, const std::string& otherwise = {});
int64_t number(const Message& m, const char* key, int64_t otherwise = 0);
std::vector<std::string> texts(const Message& m, const char* key);

// Puts frames together from what arrives.
class Parser {
 public:
  // One recvmsg(2). 1: bytes came; 0: end of stream; -1: errno.
  int receive(int socket, int flags);
  // The next whole frame. False: none, or bad().
  bool next(Frame& out);
  bool bad() const { return bad_; }
  // Whether next() has one: then no poll(2) of the socket tells of it.
  bool has_frame() const;

 private:
  size_t payload_size() const;  // of the first frame, once its header is there
  std::string buffer_;
  std::vector<OwnedFd> fds_;
  bool bad_ = false;
};

// For a blocking socket. False: the other side is gone.
bool send_all(int socket, std::string_view bytes, std::span<const int> fds = {});
// Waits for the next frame. False: end of stream or garbage.
bool receive_frame(int socket, Parser& parser, Frame& out);

}  // namespace starry::control
