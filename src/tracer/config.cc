#include "tracer/config.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <pugixml.hpp>

#include "tracer/start_error.h"

namespace starry {
namespace {

class ProfileReader {
 public:
  ProfileReader(std::string path, Options& out) : path_(std::move(path)), out_(out) {}

  void read() {
    std::ifstream in(path_, std::ios::binary);
    if (!in) start_error("cannot read the profile {}", path_);
    text_.assign(std::istreambuf_iterator<char>(in), {});
    pugi::xml_document doc;
    const pugi::xml_parse_result result = doc.load_buffer(text_.data(), text_.size());
    if (!result) start_error("{}:{}: {}", path_, line_at(result.offset), result.description());
    const pugi::xml_node root = doc.document_element();
    if (root.name() != std::string("profile"))
      fail(root, fmt::format("the root element is <{}>, expected <profile>", root.name()));
    attributes(root, {{"name", [](const std::string&) {}}});
    children(root, {{"machine", [this](pugi::xml_node n) { machine(n); }},
                    {"credentials", [this](pugi::xml_node n) { credentials(n); }},
                    {"environment", [this](pugi::xml_node n) { environment(n); }}});
  }

 private:
  using OnNode = std::function<void(pugi::xml_node)>;
  using OnValue = std::function<void(const std::string&)>;

  void machine(pugi::xml_node n) {
    attributes(n, {{"cpus", [&](auto& v) { out_.cpus = parse_cpus(v, where(n, "cpus")); }},
                   {"memory", [&](auto& v) { out_.memory = parse_size(v, where(n, "memory")); }},
                   {"hostname", [&](auto& v) { out_.hostname = v; }}});
    children(n, {});
  }

  void credentials(pugi::xml_node n) {
    std::string uid, gid;
    attributes(n, {{"uid", [&](auto& v) { uid = v; }}, {"gid", [&](auto& v) { gid = v; }}});
    children(n, {});
    if (uid.empty()) fail(n, "<credentials> needs the attribute uid");
    parse_user(gid.empty() ? uid : uid + ":" + gid, where(n, "uid"), out_);
  }

  void environment(pugi::xml_node n) {
    attributes(n, {});
    children(
        n,
        {{"set", [this](pugi::xml_node set) {
            std::string name, value;
            attributes(set, {{"name", [&](auto& v) { name = v; }}, {"value", [&](auto& v) { value = v; }}});
            children(set, {});
            if (name.empty() || name.find('=') != std::string::npos)
              fail(set, "<set> needs a name without '='");
            out_.env.push_back(name + "=" + value);
          }}});
  }

  void attributes(pugi::xml_node n, const std::map<std::string, OnValue>& known) {
    for (pugi::xml_attribute a : n.attributes()) {
      auto it = known.find(a.name());
      if (it == known.end()) fail(n, fmt::format("<{}> has an unknown attribute '{}'", n.name(), a.name()));
      it->second(a.value());
    }
  }

  void children(pugi::xml_node n, const std::map<std::string, OnNode>& known) {
    for (pugi::xml_node c : n.children()) {
      if (c.type() == pugi::node_pcdata || c.type() == pugi::node_cdata)
        fail(c, fmt::format("unexpected text in <{}>", n.name()));
      if (c.type() != pugi::node_element) continue;
      auto it = known.find(c.name());
      if (it == known.end()) fail(c, fmt::format("unknown element <{}> in <{}>", c.name(), n.name()));
      it->second(c);
    }
  }

  [[noreturn]] void fail(pugi::xml_node n, const std::string& what) {
    start_error("{}:{}: {}", path_, line_at(n.offset_debug()), what);
  }
  std::string where(pugi::xml_node n, const char* attribute) {
    return fmt::format("{}:{}: {}", path_, line_at(n.offset_debug()), attribute);
  }
  long line_at(ptrdiff_t offset) const {
    const auto end = text_.begin() + std::clamp<ptrdiff_t>(offset, 0, std::ssize(text_));
    return std::count(text_.begin(), end, '\n') + 1;
  }

  std::string path_, text_;
  Options& out_;
};

}  // namespace

void load_profile(const std::string& path, Options& out) { ProfileReader(path, out).read(); }

}  // namespace starry
