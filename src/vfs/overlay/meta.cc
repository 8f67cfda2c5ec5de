#include "vfs/overlay/meta.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "emulated_kernel/base/log.h"

namespace starry {

namespace {

constexpr const char* JOURNAL = "meta";
constexpr const char* JOURNAL_NEW = "meta.new";

std::string escape(std::string_view path) {
  std::string out;
  for (char c : path) {
    auto u = static_cast<unsigned char>(c);
    if (u <= ' ' || u == '\\' || u == 0x7f)
      out += fmt::format("\\{:03o}", u);
    else
      out += c;
  }
  return out.empty() ? "." : out;
}

std::string unescape(std::string_view text) {
  if (text == ".") return {};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      unsigned v = 0;
      std::from_chars(text.data() + i + 1, text.data() + std::min(i + 4, text.size()), v, 8);
      out += static_cast<char>(v);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string attr_line(const MetaAttr& a) {
  return fmt::format("a {} {:o} {} {} {} {}\n", a.id, a.mode, a.uid, a.gid, a.rdev, a.ino);
}

template <class T>
T number(std::string_view text, int base = 10) {
  T v = 0;
  std::from_chars(text.data(), text.data() + text.size(), v, base);
  return v;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  while (!line.empty()) {
    size_t n = std::min(line.find(' '), line.size());
    out.push_back(line.substr(0, n));
    line.remove_prefix(std::min(n + 1, line.size()));
  }
  return out;
}

// Takes the first component off `path`.
std::string_view next_component(std::string_view& path) {
  size_t n = std::min(path.find('/'), path.size());
  std::string_view c = path.substr(0, n);
  path.remove_prefix(std::min(n + 1, path.size()));
  return c;
}

}  // namespace

const OverlayMeta::Node* OverlayMeta::find(std::string_view path) const {
  const Node* n = &root_;
  while (!path.empty()) {
    auto it = n->children.find(next_component(path));
    if (it == n->children.end()) return nullptr;
    n = it->second.get();
  }
  return n;
}

OverlayMeta::Node& OverlayMeta::make(std::string_view path) {
  Node* n = &root_;
  while (!path.empty()) {
    std::string_view c = next_component(path);
    auto it = n->children.find(c);
    if (it == n->children.end()) it = n->children.emplace(c, std::make_unique<Node>()).first;
    n = it->second.get();
  }
  return *n;
}

void OverlayMeta::move(std::string_view from, std::string_view to) {
  Node& a = make(from);
  auto attr = std::move(a.attr);
  auto children = std::move(a.children);
  a.attr = nullptr;
  a.children.clear();
  Node& b = make(to);
  b.attr = std::move(attr);
  b.children = std::move(children);
}

void OverlayMeta::apply_line(std::string_view line) {
  auto w = words(line);
  if (w.size() < 2 || w[0].size() != 1) return;
  char op = w[0][0];
  if (op == 'a' && w.size() == 7) {
    auto id = number<uint32_t>(w[1]);
    auto a = by_id_[id].lock();
    if (!a) a = std::make_shared<MetaAttr>();
    *a = {number<uint32_t>(w[2], 8), number<uint32_t>(w[3]), number<uint32_t>(w[4]),
          number<uint64_t>(w[5]),    number<uint64_t>(w[6]), id};
    by_id_[id] = a;
    last_id_ = std::max(last_id_, id);
    pending_ = a;  // nothing refers to it before the next line does
    return;
  }
  if (op == 'b' && w.size() == 3) {
    make(unescape(w[2])).attr = by_id_[number<uint32_t>(w[1])].lock();
    return;
  }
  std::string path = unescape(w[1]);
  switch (op) {
    case 'x':
      make(path).attr = nullptr;
      break;
    case 'h':
      make(path).hidden = true;
      break;
    case 'v':
      make(path).hidden = false;
      break;
    case 'd': {
      Node& n = make(path);
      n.attr = nullptr;
      n.children.clear();
      break;
    }
    case 'm':
      if (w.size() == 3) move(path, unescape(w[2]));
      break;
    case 'e':
      if (w.size() == 3) {
        Node &a = make(path), &b = make(unescape(w[2]));
        std::swap(a.attr, b.attr);
        std::swap(a.children, b.children);
      }
      break;
    default:
      klog(LogLevel::warn, "upper layer: unknown line in {}: {}", JOURNAL, line);
  }
}

void OverlayMeta::dump(const Node& n, const std::string& path, std::string& out,
                       std::map<const MetaAttr*, bool>& seen) const {
  if (n.hidden) out += "h " + escape(path) + "\n";
  if (n.attr) {
    if (!seen[n.attr.get()]) out += attr_line(*n.attr);
    seen[n.attr.get()] = true;
    out += fmt::format("b {} {}\n", n.attr->id, escape(path));
  }
  for (auto& [name, child] : n.children) dump(*child, path.empty() ? name : path + "/" + name, out, seen);
}

Result<std::unique_ptr<OverlayMeta>> OverlayMeta::open(int dir) {
  auto meta = std::make_unique<OverlayMeta>();
  Result<int> old = host_files().open(dir, JOURNAL, O_RDONLY);
  if (!old.ok() && old.code() != ENOENT) return old.error();
  if (old.ok()) {
    HostFd fd(*old);
    Kstat st = TRY(host_files().stat(fd.get()));
    std::string text(st.size, '\0');
    text.resize(TRY(host_files().pread(fd.get(), text.data(), text.size(), 0)));
    std::string_view rest = text;
    // A line without an end was being written when the writer died.
    for (size_t nl; (nl = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(nl + 1))
      meta->apply_line(rest.substr(0, nl));
    meta->pending_ = nullptr;
    meta->by_id_.clear();
  }
  meta->dir_ = dir;
  TRY(meta->rewrite());
  return meta;
}

Result<void> OverlayMeta::rewrite() {
  std::string text;
  std::map<const MetaAttr*, bool> seen;
  dump(root_, "", text, seen);
  int fd = TRY(host_files().open(dir_, JOURNAL_NEW, O_RDWR | O_CREAT | O_TRUNC, 0600));
  journal_ = HostFd(fd);
  live_ = text.size();
  written_ = 0;
  TRY(append(text));
  return host_files().rename(dir_, JOURNAL_NEW, dir_, JOURNAL, 0);
}

Result<void> OverlayMeta::append(std::string_view text) {
  written_ += text.size();
  while (!text.empty())
    text.remove_prefix(TRY(host_files().append(journal_.get(), text.data(), text.size())));
  return {};
}

Result<void> OverlayMeta::write(const std::string& lines) {
  constexpr size_t SLACK = 1 << 20;
  if (written_ > 4 * live_ + SLACK) TRY(rewrite());
  return append(lines);
}

// Removes the node at `path`, and those above it, as far as they say nothing.
void OverlayMeta::prune(std::string_view path) {
  while (!path.empty()) {
    size_t slash = path.rfind('/');
    std::string_view up = slash == std::string_view::npos ? "" : path.substr(0, slash);
    std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
    Node& parent = make(up);
    auto it = parent.children.find(name);
    if (it != parent.children.end()) {
      const Node& n = *it->second;
      if (n.hidden || n.attr || !n.children.empty()) return;
      parent.children.erase(it);
    }
    path = up;
  }
}

Result<void> OverlayMeta::hide(std::string_view path) {
  const Node* n = find(path);
  if (n != nullptr && n->hidden) return {};
  TRY(write("h " + escape(path) + "\n"));
  make(path).hidden = true;
  return {};
}

Result<void> OverlayMeta::new_attr(std::string_view path, const MetaAttr& attr) {
  auto a = std::make_shared<MetaAttr>(attr);
  a->id = ++last_id_;
  TRY(write(attr_line(*a) + fmt::format("b {} {}\n", a->id, escape(path))));
  make(path).attr = std::move(a);
  return {};
}

Result<void> OverlayMeta::set_attr(std::string_view path, const MetaAttr& attr) {
  Node& n = make(path);
  if (!n.attr) return new_attr(path, attr);
  uint32_t id = n.attr->id;
  MetaAttr next = attr;
  next.id = id;
  TRY(write(attr_line(next)));
  *n.attr = next;
  return {};
}

Result<void> OverlayMeta::link_attr(std::string_view from, std::string_view to) {
  std::shared_ptr<MetaAttr> a = make(from).attr;
  if (!a) return drop_attr(to);
  TRY(write(fmt::format("b {} {}\n", a->id, escape(to))));
  make(to).attr = std::move(a);
  return {};
}

Result<void> OverlayMeta::drop_attr(std::string_view path) {
  const Node* n = find(path);
  if (n == nullptr || !n->attr) return {};
  TRY(write("x " + escape(path) + "\n"));
  make(path).attr = nullptr;
  prune(path);
  return {};
}

Result<void> OverlayMeta::forget(std::string_view path) {
  const Node* n = find(path);
  if (n == nullptr || (!n->attr && n->children.empty())) return {};
  TRY(write("d " + escape(path) + "\n"));
  Node& m = make(path);
  m.attr = nullptr;
  m.children.clear();
  prune(path);
  return {};
}

Result<void> OverlayMeta::rename(std::string_view from, std::string_view to) {
  const Node *a = find(from), *b = find(to);
  auto blank = [](const Node* n) { return n == nullptr || (!n->attr && n->children.empty()); };
  if (blank(a) && blank(b)) return {};
  TRY(write("m " + escape(from) + " " + escape(to) + "\n"));
  move(from, to);
  prune(from);
  prune(to);
  return {};
}

Result<void> OverlayMeta::exchange(std::string_view a, std::string_view b) {
  TRY(write("e " + escape(a) + " " + escape(b) + "\n"));
  Node &x = make(a), &y = make(b);
  std::swap(x.attr, y.attr);
  std::swap(x.children, y.children);
  return {};
}

}  // namespace starry
