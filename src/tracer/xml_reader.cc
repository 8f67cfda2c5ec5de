#include "tracer/xml_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tracer/start_error.h"

namespace starry {

XmlReader::XmlReader(std::string path) : path_(std::move(path)) {
  std::error_code ec;
  std::ifstream in(path_, std::ios::binary);
  if (!in || std::filesystem::is_directory(path_, ec)) start_error("cannot read the profile {}", path_);
  text_.assign(std::istreambuf_iterator<char>(in), {});
  const pugi::xml_parse_result result = doc_.load_buffer(text_.data(), text_.size());
  if (!result) start_error("{}:{}: {}", path_, line_at(result.offset), result.description());
}

void XmlReader::attributes(
    pugi::xml_node n, const std::map<std::string, OnValue>& known,
    const std::function<void(const std::string& name, const std::string& value)>& other) {
  std::set<std::string> seen;
  for (pugi::xml_attribute a : n.attributes()) {
    if (!seen.insert(a.name()).second)
      fail(n, fmt::format("<{}> has the attribute '{}' twice", n.name(), a.name()));
    auto it = known.find(a.name());
    if (it != known.end())
      it->second(a.value());
    else if (other)
      other(a.name(), a.value());
    else
      fail(n, fmt::format("<{}> has an unknown attribute '{}'", n.name(), a.name()));
  }
}

void XmlReader::children(pugi::xml_node n, const std::map<std::string, OnNode>& known, bool once) {
  std::set<std::string> seen;
  for (pugi::xml_node c : n.children()) {
    if (c.type() == pugi::node_pcdata || c.type() == pugi::node_cdata)
      fail(c, fmt::format("unexpected text in <{}>", n.name()));
    if (c.type() != pugi::node_element) continue;
    auto it = known.find(c.name());
    if (it == known.end()) fail(c, fmt::format("unknown element <{}> in <{}>", c.name(), n.name()));
    if (!seen.insert(c.name()).second && once)
      fail(c, fmt::format("a second <{}> in <{}>", c.name(), n.name()));
    it->second(c);
  }
}

void XmlReader::fail(pugi::xml_node n, const std::string& what) const {
  start_error("{}:{}: {}", path_, line_at(n.offset_debug()), what);
}

std::string XmlReader::where(pugi::xml_node n, const std::string& attribute) const {
  return fmt::format("{}:{}: {}", path_, line_at(n.offset_debug()), attribute);
}

long XmlReader::line_at(ptrdiff_t offset) const {
  const auto end = text_.begin() + std::clamp<ptrdiff_t>(offset, 0, std::ssize(text_));
  return std::count(text_.begin(), end, '\n') + 1;
}

}  // namespace starry
