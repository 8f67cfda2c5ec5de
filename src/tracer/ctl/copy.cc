// starryctl cp: the host's side of copying.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tracer/ctl/client.h"
#include "tracer/start_error.h"

namespace starry::ctl {
namespace {

namespace fs = std::filesystem;

// NAME:PATH; a colon behind a slash belongs to a path of the host.
struct Place {
  std::string instance, path;
  explicit Place(const std::string& arg) : path(arg) {
    const size_t colon = arg.find(':');
    if (colon == std::string::npos || colon == 0 || arg.find('/') < colon) return;
    instance = arg.substr(0, colon);
    path = arg.substr(colon + 1);
  }
};

[[noreturn]] void failed(const std::string& path) { throw Failed{path + ": " + strerror(errno), 1}; }

std::string last_name(const std::string& path) {
  std::string p = path;
  while (p.size() > 1 && p.back() == '/') p.pop_back();
  const std::string name = fs::path(p).filename();
  return name.empty() || name == "." || name == ".." ? "root" : name;
}

// --- From the instance ---

// A name from the other side must stay below the destination.
void check_entry(const std::string& name) {
  for (const fs::path& part : fs::path(name))
    if (part == ".." || part == "/") throw Failed{"the instance sent a bad name: " + name, 1};
}

class Receiver {
 public:
  explicit Receiver(std::string top) : top_(std::move(top)) {}
  void take(const control::Frame& f) {
    if (f.is_data)
      write_data(f.data);
    else if (f.message.contains("eof"))
      end_file();
    else
      make(f.message);
  }

 private:
  void make(const Message& m) {
    const std::string name = control::text(m, "entry"), type = control::text(m, "type");
    check_entry(name);
    at_ = name.empty() ? top_ : top_ + "/" + name;
    mode_ = static_cast<mode_t>(control::number(m, "mode", 0644)) & 0777;
    if (type == "dir") {
      // Ours to fill, whatever its mode in the guest.
      if (mkdir(at_.c_str(), mode_ | 0700) != 0 && (errno != EEXIST || !fs::is_directory(at_))) failed(at_);
    } else if (type == "link") {
      if (unlink(at_.c_str()) != 0 && errno != ENOENT) failed(at_);
      if (symlink(control::text(m, "target").c_str(), at_.c_str()) != 0) failed(at_);
    } else if (type == "file") {
      file_ = OwnedFd(open(at_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode_ | 0600));
      if (!file_) failed(at_);
      mtime_ = {};
      if (const auto t = m.find("mtime"); t != m.end() && t->is_array() && t->size() == 2)
        mtime_ = {(*t)[0].get<int64_t>(), (*t)[1].get<int64_t>()};
    }
  }
  void write_data(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) failed(at_);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void end_file() {
    const timespec times[2] = {{0, UTIME_NOW}, mtime_};
    (void)fchmod(file_.get(), mode_);
    (void)futimens(file_.get(), times);
    file_ = OwnedFd();
  }

  std::string top_, at_;
  OwnedFd file_;
  mode_t mode_ = 0;
  timespec mtime_{};
};

int copy_out(const Place& from, const std::string& to) {
  Client client(from.instance);
  client.send({{"op", "get"}, {"path", from.path}});
  Receiver receiver(fs::is_directory(to) ? to + "/" + last_name(from.path) : to);
  for (;;) {
    const control::Frame f = client.receive();
    if (!f.is_data && f.message.contains("done")) return 0;
    receiver.take(f);
  }
}

// --- Into the instance ---

class Sender {
 public:
  explicit Sender(Client& client) : client_(client) {}

  void send(const std::string& path, const std::string& name, bool follow) {
    struct stat st {};
    if ((follow ? stat(path.c_str(), &st) : lstat(path.c_str(), &st)) != 0) failed(path);
    Message entry{{"entry", name},
                  {"mode", st.st_mode & 07777},
                  {"mtime", Message::array({st.st_mtim.tv_sec, st.st_mtim.tv_nsec})}};
    if (S_ISDIR(st.st_mode)) {
      entry["type"] = "dir";
      client_.send(entry);
      std::error_code ec;
      for (const auto& e : fs::directory_iterator(path, ec)) {
        const std::string child = e.path().filename();
        send(path + "/" + child, name.empty() ? child : name + "/" + child, false);
      }
      if (ec) throw Failed{path + ": " + ec.message(), 1};
    } else if (S_ISLNK(st.st_mode)) {
      entry["type"] = "link";
      entry["target"] = fs::read_symlink(path).string();
      client_.send(entry);
    } else if (S_ISREG(st.st_mode)) {
      entry["type"] = "file";
      send_file(path, entry);
    } else {
      fmt::print(stderr, "starryctl: {}: not a file, directory or link; skipped\n", path);
    }
  }

 private:
  void send_file(const std::string& path, const Message& entry) {
    const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) failed(path);
    client_.send(entry);
    std::string chunk(control::DATA_CHUNK, '\0');
    for (;;) {
      const ssize_t n = read(file.get(), chunk.data(), chunk.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) failed(path);
      if (n == 0) break;
      client_.send_data({chunk.data(), static_cast<size_t>(n)});
    }
    client_.send({{"eof", true}});
  }

  Client& client_;
};

int copy_in(const std::string& from, const Place& to) {
  Client client(to.instance);
  client.send({{"op", "put"}, {"path", to.path}, {"base", last_name(from)}});
  Sender(client).send(from, "", true);
  client.send({{"op", "end"}});
  client.receive();
  return 0;
}

}  // namespace

int copy(const std::string& from, const std::string& to) {
  const Place source(from), dest(to);
  if (source.instance.empty() == dest.instance.empty())
    start_error("cp: exactly one of the two must be NAME:PATH");
  return dest.instance.empty() ? copy_out(source, dest.path) : copy_in(source.path, dest);
}

}  // namespace starry::ctl
