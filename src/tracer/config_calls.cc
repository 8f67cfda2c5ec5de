#include "tracer/config_calls.h"

#include <map>
#include <set>
#include <string_view>

#include "emulated_kernel/profile/operands.h"
#include "emulated_kernel/profile/quirks.h"
#include "emulated_kernel/profile/words.h"
#include "tracer/options.h"

namespace starry {
namespace {

using profile::CallPolicy;
using profile::Effect;
using profile::Rule;

class CallReader {
 public:
  CallReader(XmlReader& xml, profile::Profile& out) : xml_(xml), out_(out) {}

  void syscalls(pugi::xml_node n) {
    xml_.attributes(n, {{"default", [&](auto& v) { out_.fallback = take(n, profile::parse_result(v)); }}});
    // What names a call itself wins over what names its class, wherever they stand.
    xml_.children(n, {{"call", [&](pugi::xml_node c) { call(c, true); }}});
    xml_.children(n, {{"call", [&](pugi::xml_node c) { call(c, false); }}});
  }

 private:
  template <class T>
  T take(pugi::xml_node n, profile::Parsed<T> parsed) {
    if (!parsed.value) xml_.fail(n, parsed.error);
    return *std::move(parsed.value);
  }

  void call(pugi::xml_node n, bool classes) {
    const std::string names = n.attribute("name").value();
    if (names.empty()) xml_.fail(n, "<call> needs the attribute name");
    for (const std::string_view name : profile::split(names, ',')) {
      if (name.starts_with('%') != classes) continue;
      const std::vector<int> numbers = profile::calls_named(name);
      if (numbers.empty()) xml_.fail(n, fmt::format("there is no system call or class '{}'", name));
      for (const int nr : numbers) {
        if (!classes && !named_.insert(nr).second) xml_.fail(n, fmt::format("a second <call> for {}", name));
        out_.calls[nr] = policy(n, syscall_spec(nr));
      }
    }
  }

  CallPolicy policy(pugi::xml_node n, const SyscallSpec& spec) {
    CallPolicy p;
    p.otherwise = effect(n, spec, nullptr);
    xml_.children(n, {{"when", [&](pugi::xml_node when) {
                         Rule r;
                         r.effect = effect(when, spec, &r);
                         xml_.children(when, {});
                         if (r.when.empty()) xml_.fail(when, "<when> has no condition");
                         p.rules.push_back(std::move(r));
                       }}});
    return p;
  }

  // The attributes of <call> and, with `rule`, of <when>, whose others are conditions.
  Effect effect(pugi::xml_node n, const SyscallSpec& spec, Rule* rule) {
    Effect e;
    bool has_level = false, has_option = false;
    std::string result;
    std::map<std::string, XmlReader::OnValue> known = {
        {"result", [&](auto& v) { result = v; }},
        {"errors", [&](auto& v) { e.errors = take(n, profile::parse_errors(v)); }},
        {"drop", [&](auto& v) { drop(n, spec, v, e); }},
        {"quirk", [&](auto& v) { quirks(n, spec, v, e); }}};
    if (rule == nullptr) {
      known["name"] = [](auto&) {};
      xml_.attributes(n, known);
    } else {
      xml_.attributes(n, known, [&](const std::string& name, const std::string& value) {
        rule->when.push_back(take(n, profile::parse_condition(spec, name, value)));
        has_level = has_level || name == "level";
        has_option = has_option || name == "optname";
      });
      if (has_option && !has_level) xml_.fail(n, "optname needs a level beside it");
    }
    if (result.empty()) return e;
    const Effect r = take(n, profile::parse_result(result));
    if (r.kind != Effect::Kind::emulate && !e.plain())
      xml_.fail(n, fmt::format("with result '{}' nothing is emulated: errors, drop and quirk have no effect",
                               result));
    e.kind = r.kind;
    e.value = r.value;
    return e;
  }

  void drop(pugi::xml_node n, const SyscallSpec& spec, const std::string& text, Effect& e) {
    for (const std::string_view part : profile::split(text, ',')) {
      const profile::ClearedBits c = take(n, profile::parse_cleared(spec, part));
      e.clear[c.arg] |= c.bits;
    }
  }

  void quirks(pugi::xml_node n, const SyscallSpec& spec, const std::string& text, Effect& e) {
    for (const std::string_view name : profile::split(text, ',')) {
      const profile::Quirk* q = profile::find_quirk(name);
      if (q == nullptr) xml_.fail(n, fmt::format("there is no quirk '{}'", name));
      if (!q->fits(spec.name)) xml_.fail(n, fmt::format("the quirk {} is not for {}", name, spec.name));
      e.quirks.push_back(q);
    }
  }

  XmlReader& xml_;
  profile::Profile& out_;
  std::set<int> named_;  // calls that this file has named
};

}  // namespace

void read_calls(XmlReader& xml, pugi::xml_node n, profile::Profile& out) { CallReader(xml, out).syscalls(n); }

FileRule read_file(XmlReader& xml, pugi::xml_node n) {
  FileRule rule;
  xml.attributes(
      n, {{"path", [&](auto& v) { rule.path = v; }},
          {"result",
           [&](auto& v) {
             if (v == "emulate") return;
             rule.error = profile::errno_by_name(v);
             if (rule.error == 0) xml.fail(n, fmt::format("'{}' is not an errno's name", v));
           }},
          {"content", [&](auto& v) { rule.content = v; }},
          {"size", [&](auto& v) { rule.size = v == "0" ? 0 : parse_size(v, xml.where(n, "size")); }}});
  xml.children(n, {});
  if (!rule.path.starts_with('/')) xml.fail(n, "<file> needs an absolute path");
  if (rule.error != 0 && (rule.content || rule.size)) xml.fail(n, "a file with an error has no content");
  return rule;
}

}  // namespace starry
