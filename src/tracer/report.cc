#include "tracer/report.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "emulated_kernel/profile/usage.h"
#include "tracer/console.h"
#include "tracer/start_error.h"

namespace starry {
namespace {

using Json = nlohmann::ordered_json;

// Guests choose names and paths: bytes that are no UTF-8 are replaced.
constexpr auto REPLACE = Json::error_handler_t::replace;

Json json_of(const UseCount& u) {
  Json j{{"count", u.count}};
  if (!u.errors.empty()) j["errors"] = u.errors;
  if (u.unknown) j["unknown"] = true;
  return j;
}

Json json_of(const CallUse& c) {
  Json j = json_of(c.total);
  for (const auto& [argument, values] : c.arguments)
    for (const auto& [value, use] : values) j["arguments"][argument][value] = json_of(use);
  return j;
}

void merge(UseCount& into, const UseCount& u) {
  into.count += u.count;
  into.unknown = into.unknown || u.unknown;
  for (const auto& [error, n] : u.errors) into.errors[error] += n;
}

// All processes as one.
void merge(ProcessUse& into, const ProcessUse& p) {
  for (const auto& [name, call] : p.calls) {
    CallUse& c = into.calls[name];
    merge(c.total, call.total);
    c.missing = c.missing || call.missing;
    for (const auto& [argument, values] : call.arguments)
      for (const auto& [value, use] : values) merge(c.arguments[argument][value], use);
  }
  for (const auto& [path, calls] : p.files)
    for (const auto& [call, use] : calls) merge(into.files[path][call], use);
}

// Errors by which a kernel says that it does not know something.
bool means_unsupported(const std::string& error) {
  for (const char* e :
       {"ENOSYS", "EINVAL", "ENOPROTOOPT", "EOPNOTSUPP", "ENOTTY", "EAFNOSUPPORT", "EPROTONOSUPPORT"})
    if (error == e) return true;
  return false;
}

// Calls without an implementation, values without a name, and values that only ever failed in a way that
// means "not supported".
Json missing(const ProcessUse& p) {
  Json calls = Json::object(), values = Json::array();
  for (const auto& [name, call] : p.calls) {
    if (call.missing) calls[name] = json_of(call.total);
    for (const auto& [argument, uses] : call.arguments) {
      for (const auto& [value, use] : uses) {
        uint64_t refused = 0;
        for (const auto& [error, n] : use.errors)
          if (means_unsupported(error)) refused += n;
        if (!use.unknown && refused != use.count) continue;
        Json j{{"call", name}, {"argument", argument}, {"value", value}};
        j.update(json_of(use));
        values.push_back(std::move(j));
      }
    }
  }
  return {{"calls", std::move(calls)}, {"values", std::move(values)}};
}

Json json_of(const ProcessUse& p) {
  Json calls = Json::object(), files = Json::object();
  for (const auto& [name, call] : p.calls) calls[name] = json_of(call);
  for (const auto& [path, uses] : p.files)
    for (const auto& [call, use] : uses) files[path][call] = json_of(use);
  return {{"missing", missing(p)}, {"files", std::move(files)}, {"calls", std::move(calls)}};
}

}  // namespace

void check_report(const std::string& path) {
  if (!std::ofstream(path, std::ios::trunc)) start_error("--report {}: {}", path, strerror(errno));
}

void write_report(const std::string& path, const std::vector<std::string>& command, int status) {
  ProcessUse total;
  Json processes = Json::array();
  for (const auto& [pid, process] : usage()) {
    merge(total, process);
    Json j{{"pid", pid}, {"name", process.name}, {"exe", process.exe}};
    j.update(json_of(process));
    processes.push_back(std::move(j));
  }
  Json report{{"command", command}, {"status", status}};
  report["total"] = json_of(total);
  report["processes"] = std::move(processes);
  std::ofstream out(path, std::ios::trunc);
  out << report.dump(1, ' ', false, REPLACE) << '\n';
  out.close();
  if (!out) host_message(fmt::format("--report {}: {}", path, strerror(errno)));
}

}  // namespace starry
