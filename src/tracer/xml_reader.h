// Reading XML as a schema would have it: each element says which attributes and children it knows, and
// everything else is a StartError with file and line.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <pugixml.hpp>
#include <string>

namespace starry {

class XmlReader {
 public:
  using OnNode = std::function<void(pugi::xml_node)>;
  using OnValue = std::function<void(const std::string&)>;

  explicit XmlReader(std::string path);  // StartError: unreadable or not well-formed
  const std::string& path() const { return path_; }
  pugi::xml_node root() const { return doc_.document_element(); }

  // Calls the function of each attribute, `other` for those that have none. Unknown and repeated ones are
  // errors.
  void attributes(
      pugi::xml_node n, const std::map<std::string, OnValue>& known,
      const std::function<void(const std::string& name, const std::string& value)>& other = nullptr);
  // The same for elements in `n`. `once`: each at most once. Text is an error.
  void children(pugi::xml_node n, const std::map<std::string, OnNode>& known, bool once = false);

  [[noreturn]] void fail(pugi::xml_node n, const std::string& what) const;
  // "FILE:LINE: attribute", for errors of functions that say what they were parsing.
  std::string where(pugi::xml_node n, const std::string& attribute) const;

 private:
  long line_at(ptrdiff_t offset) const;

  std::string path_, text_;
  pugi::xml_document doc_;
};

}  // namespace starry
