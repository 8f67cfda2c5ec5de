#include "tracer/config.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "emulated_kernel/profile/profile.h"
#include "emulated_kernel/trace/names.h"
#include "tracer/config_calls.h"
#include "tracer/start_error.h"
#include "tracer/xml_reader.h"

namespace starry {
namespace {

namespace fs = std::filesystem;

// The profile that `name` means, seen from the file `from` (empty: the command line).
std::string find_profile(const std::string& name, const std::string& from) {
  std::error_code ec;
  const fs::path given =
      from.empty() || name.starts_with('/') ? fs::path(name) : fs::path(from).parent_path() / name;
  if (fs::is_regular_file(given, ec)) return given;
  if (name.find('/') != name.npos) return given;
  const std::string file = name.ends_with(".xml") ? name : name + ".xml";
  const fs::path program = fs::read_symlink("/proc/self/exe", ec);
  for (const fs::path& folder :
       {fs::path(from).parent_path(), program.parent_path() / "../share/starryrun/config",
        fs::path(STARRYRUN_CONFIG_DIR)}) {
    if (fs::is_regular_file(folder / file, ec)) return (folder / file).lexically_normal();
  }
  return given;
}

class ProfileReader {
 public:
  ProfileReader(const std::string& path, Options& out, std::vector<std::string>& above)
      : xml_(path), out_(out), above_(above) {}

  void read() {
    const pugi::xml_node root = xml_.root();
    if (root.name() != std::string("profile"))
      xml_.fail(root, fmt::format("the root element is <{}>, expected <profile>", root.name()));
    std::string base, name = fs::path(xml_.path()).stem();
    xml_.attributes(root, {{"name", [&](auto& v) { name = v; }}, {"extends", [&](auto& v) { base = v; }}});
    if (!base.empty()) extend(root, base);
    out_.profile->name = name;
    xml_.children(root,
                  {{"machine", [this](pugi::xml_node n) { machine(n); }},
                   {"credentials", [this](pugi::xml_node n) { credentials(n); }},
                   {"limits", [this](pugi::xml_node n) { limits(n); }},
                   {"environment", [this](pugi::xml_node n) { environment(n); }},
                   {"syscalls", [this](pugi::xml_node n) { read_calls(xml_, n, *out_.profile); }},
                   {"files", [this](pugi::xml_node n) { files(n); }}},
                  true);
  }

 private:
  void extend(pugi::xml_node n, const std::string& base) {
    const std::string path = find_profile(base, xml_.path());
    std::error_code ec;
    const std::string id = fs::weakly_canonical(path, ec);
    if (std::find(above_.begin(), above_.end(), id) != above_.end())
      xml_.fail(n, fmt::format("'{}' extends itself", base));
    if (!fs::is_regular_file(path, ec)) xml_.fail(n, fmt::format("there is no profile '{}' to extend", base));
    above_.push_back(id);
    ProfileReader(path, out_, above_).read();
    above_.pop_back();
  }

  void machine(pugi::xml_node n) {
    const auto name = [&](const char* attribute, std::string& to) {
      return std::pair<std::string, XmlReader::OnValue>(attribute, [&, attribute](auto& v) {
        if (v.size() > UTS_LEN) xml_.fail(n, fmt::format("{}: more than {} bytes", attribute, UTS_LEN));
        to = v;
      });
    };
    UtsNames& uts = out_.uts_names;
    xml_.attributes(n, {{"cpus", [&](auto& v) { out_.cpus = parse_cpus(v, xml_.where(n, "cpus")); }},
                        {"memory", [&](auto& v) { out_.memory = parse_size(v, xml_.where(n, "memory")); }},
                        {"hostname", [&](auto& v) { out_.hostname = v; }},
                        name("domainname", uts.domainname),
                        name("sysname", uts.sysname),
                        name("release", uts.release),
                        name("version", uts.version),
                        name("machine", uts.machine)});
    xml_.children(n, {});
  }

  void credentials(pugi::xml_node n) {
    std::string uid, gid;
    xml_.attributes(n, {{"uid", [&](auto& v) { uid = v; }}, {"gid", [&](auto& v) { gid = v; }}});
    xml_.children(n, {});
    if (uid.empty()) xml_.fail(n, "<credentials> needs the attribute uid");
    parse_user(gid.empty() ? uid : uid + ":" + gid, xml_.where(n, "uid"), out_);
  }

  // Attributes are the names of getrlimit(2) without RLIMIT_, in lower case: SOFT or SOFT:HARD.
  void limits(pugi::xml_node n) {
    xml_.children(n, {});
    xml_.attributes(n, {}, [&](const std::string& name, const std::string& value) {
      for (const trace::NamedValue& known : trace::family_values(FlagFamily::rlimit_resource)) {
        std::string lower = std::string(known.name).substr(std::string("RLIMIT_").size());
        std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return tolower(c); });
        if (lower != name) continue;
        Rlimits::Limit& limit = out_.rlimits.limits[static_cast<size_t>(known.value)];
        const size_t colon = value.find(':');
        limit.cur = bound(n, name, value.substr(0, colon));
        if (colon != value.npos) limit.max = bound(n, name, value.substr(colon + 1));
        limit.max = std::max(limit.max, limit.cur);
        return;
      }
      xml_.fail(n, fmt::format("there is no limit '{}'", name));
    });
  }

  uint64_t bound(pugi::xml_node n, const std::string& name, const std::string& value) {
    if (value == "unlimited") return RLIM_INF;
    return value == "0" ? 0 : parse_size(value, xml_.where(n, name));
  }

  void environment(pugi::xml_node n) {
    xml_.attributes(n, {});
    xml_.children(n, {{"set", [this](pugi::xml_node set) {
                         std::string name, value;
                         xml_.attributes(set, {{"name", [&](auto& v) { name = v; }},
                                               {"value", [&](auto& v) { value = v; }}});
                         xml_.children(set, {});
                         if (name.empty() || name.find('=') != std::string::npos)
                           xml_.fail(set, "<set> needs a name without '='");
                         out_.env.push_back(name + "=" + value);
                       }}});
  }

  void files(pugi::xml_node n) {
    xml_.attributes(n, {});
    std::vector<std::string> seen;
    xml_.children(n, {{"file", [&](pugi::xml_node file) { add_file(file, seen); }}});
  }

  void add_file(pugi::xml_node n, std::vector<std::string>& seen) {
    FileRule rule = read_file(xml_, n);
    if (std::find(seen.begin(), seen.end(), rule.path) != seen.end())
      xml_.fail(n, fmt::format("a second <file> for {}", rule.path));
    seen.push_back(rule.path);
    std::erase_if(out_.file_rules, [&](const FileRule& r) { return r.path == rule.path; });
    const bool plain = rule.error == 0 && !rule.content && !rule.size;
    if (!plain) out_.file_rules.push_back(std::move(rule));
  }

  static constexpr size_t UTS_LEN = 64;
  XmlReader xml_;
  Options& out_;
  std::vector<std::string>& above_;  // files being read: those that extend this one
};

}  // namespace

void load_profile(const std::string& name, Options& out) {
  const std::string path = find_profile(name, "");
  out.profile = std::make_shared<profile::Profile>();
  std::error_code ec;
  std::vector<std::string> above{fs::weakly_canonical(path, ec)};
  ProfileReader(path, out, above).read();
}

}  // namespace starry
