// A profile for starryrun --config: the kernel of the first log with the failures of the last. Only what is
// certain: a call, or a use of it that one argument tells apart, whose result is always the same.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "calls.h"
#include "describe.h"
#include "lexer.h"
#include "report.h"

namespace starry::diff {
namespace {

std::string escaped(std::string_view s) {
  std::string out;
  for (const char c : s) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '-' && out.ends_with('-'))
      out += "&#45;";  // no "--" in comments
    else
      out += c;
  }
  return out;
}

struct Use {
  bool wrong = false;
  std::string result;             // "ENOSYS" or a number
  std::vector<std::string> args;  // as text
};

std::vector<std::string> arguments(const Event& e) {
  std::vector<std::string> out;
  for (size_t from = 0; from <= e.args.size() && out.size() < 6 && !e.args.empty();) {
    const size_t end = argument_end(e.args, from);
    out.emplace_back(trim(e.args.substr(from, end - from)));
    from = end + 1;
  }
  return out;
}

bool symbolic(const std::string& s) {
  return !s.empty() &&
         std::all_of(s.begin(), s.end(),
                     [](char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }) &&
         s[0] >= 'A' && s[0] <= 'Z';
}

// The argument and value that all wrong uses have and no right one has.
bool condition(const CallInfo& info, const std::vector<Use>& uses, std::string& name, std::string& value) {
  for (int i = 0; i < info.arg_count; i++) {
    std::set<std::string> wrong, right;
    bool known = true;
    for (const Use& u : uses) {
      if (static_cast<size_t>(i) >= u.args.size())
        known = false;
      else
        (u.wrong ? wrong : right).insert(u.args[static_cast<size_t>(i)]);
    }
    if (!known || wrong.size() != 1 || right.contains(*wrong.begin()) || !symbolic(*wrong.begin())) continue;
    name = info.args[i].name;
    value = *wrong.begin();
    return true;
  }
  return false;
}

}  // namespace

void report_profile(const std::string& path, const Comparison& c, const Strings& strings) {
  std::set<uint32_t> wrong;  // events of the second log
  for (const Divergence& d : c.divergences)
    if (d.counts() && d.b != NONE && d.a != NONE && (d.kind == Kind::result || d.kind == Kind::error) &&
        d.arg < 0)
      wrong.insert(d.b);
  std::map<std::string, std::vector<Use>> calls;
  for (const uint32_t i : wrong) calls[std::string(strings[c.b->events[i].name])];
  for (uint32_t i = 0; i < c.b->events.size(); i++) {
    const Event& e = c.b->events[i];
    if (e.type != EventType::call || e.has(EV_UNFINISHED)) continue;
    const auto it = calls.find(std::string(strings[e.name]));
    if (it == calls.end()) continue;
    const std::string result = e.has(EV_FAILED) ? std::string(strings[e.error]) : std::to_string(e.number);
    it->second.push_back({wrong.contains(i), result, arguments(e)});
  }

  OutFile out(path);
  out.write(fmt::format(
      "<!-- What differs in {} from {}. -->\n<profile name=\"from-trace\" extends=\"linux\">\n  <syscalls>\n",
      escaped(c.b->path), escaped(c.a->path)));
  for (const auto& [name, uses] : calls) {
    const CallInfo* info = call_by_name(name);
    std::set<std::string> results;
    size_t count = 0;
    for (const Use& u : uses)
      if (u.wrong) {
        results.insert(u.result);
        count++;
      }
    std::string arg, value;
    // Addresses, descriptors and process ids are no results that a profile could give.
    const bool fixed = results.size() == 1 && (results.begin()->starts_with('E') || *results.begin() == "0");
    if (info == nullptr || !fixed)
      out.write(fmt::format("    <!-- {}: {} of {} uses differ, with {} results -->\n", escaped(name), count,
                            uses.size(), results.size()));
    else if (count == uses.size())
      out.write(fmt::format("    <call name=\"{}\" result=\"{}\"/>\n", name, *results.begin()));
    else if (condition(*info, uses, arg, value))
      out.write(fmt::format("    <call name=\"{}\"> <when {}=\"{}\" result=\"{}\"/> </call>\n", name, arg,
                            value, *results.begin()));
    else
      out.write(fmt::format("    <!-- {}: {} of {} uses give {} -->\n", escaped(name), count, uses.size(),
                            *results.begin()));
  }
  out.write("  </syscalls>\n</profile>\n");
  out.close();
}

}  // namespace starry::diff
