#include "emulated_kernel/task/user_namespace.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/sched.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "emulated_kernel/mm/page.h"
#include "emulated_kernel/task/cred.h"

namespace starry {

namespace {

constexpr uint64_t INITIAL_USER_NS_INO = 4026531837;
constexpr int MAX_USER_NS_LEVEL = 32;
constexpr size_t MAX_EXTENTS = 340;  // UID_GID_MAP_MAX_EXTENTS

IdMap& map_of(UserNamespace& ns, IdKind kind) {
  return kind == IdKind::uid ? ns.uids : kind == IdKind::gid ? ns.gids : ns.projids;
}

const IdMap& map_of(const UserNamespace& ns, IdKind kind) {
  return map_of(const_cast<UserNamespace&>(ns), kind);
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

// A decimal number that ends at a blank or at the end (simple_strtoul).
std::optional<uint32_t> take_number(std::string_view* text) {
  *text = skip_blanks(*text);
  uint32_t n = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), n);
  if (error != std::errc()) return std::nullopt;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  if (!text->empty() && !is_blank(text->front())) return std::nullopt;
  return n;
}

bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count) {
  return a <= b + (b_count - 1) && b <= a + (a_count - 1);
}

// The lines of a map, `kernel_first` being the parent's id still. EINVAL.
Result<std::vector<IdMap::Extent>> parse_map(std::string_view text) {
  std::vector<IdMap::Extent> all;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto first = take_number(&line), lower = take_number(&line), count = take_number(&line);
    if (!first || !lower || !count || !skip_blanks(line).empty()) return Error{EINVAL};
    if (*first == NO_ID || *lower == NO_ID) return Error{EINVAL};
    if (*count == 0 || *first + *count <= *first || *lower + *count <= *lower) return Error{EINVAL};
    for (const IdMap::Extent& e : all)
      if (overlap(e.first, e.count, *first, *count) || overlap(e.kernel_first, e.count, *lower, *count))
        return Error{EINVAL};
    if (all.size() == MAX_EXTENTS) return Error{EINVAL};
    all.push_back({*first, *lower, *count});
  }
  if (all.empty()) return Error{EINVAL};
  return all;
}

// Who maps the parent's root must have been able to give files capabilities there (verify_root_map()).
bool root_map_permitted(const UserNamespace& ns, const Cred& opener, const std::vector<IdMap::Extent>& map) {
  const bool maps_root =
      std::any_of(map.begin(), map.end(), [](const auto& e) { return e.kernel_first == 0; });
  if (!maps_root) return true;
  if (opener.user_ns.get() == &ns) return ns.parent_could_setfcap;
  return opener.capable_in(*ns.parent, CAP_SETFCAP);
}

// new_idmap_permitted()
bool map_permitted(const UserNamespace& ns, IdKind kind, const Cred& opener, const Cred& writer,
                   const std::vector<IdMap::Extent>& map) {
  if (kind == IdKind::uid && !root_map_permitted(ns, opener, map)) return false;
  // One's own id alone.
  if (map.size() == 1 && map[0].count == 1 && ns.owner == opener.euid) {
    const uint32_t id = map[0].kernel_first;
    if (kind == IdKind::uid && ns.parent->kuid(id) == opener.euid) return true;
    if (kind == IdKind::gid && !ns.setgroups_allowed && ns.parent->kgid(id) == opener.egid) return true;
  }
  if (kind == IdKind::projid) return true;
  const int cap = kind == IdKind::uid ? CAP_SETUID : CAP_SETGID;
  return opener.capable_in(*ns.parent, cap) && writer.capable_in(*ns.parent, cap);
}

}  // namespace

uint32_t IdMap::to_kernel(uint32_t id) const { return range_to_kernel(id, 1); }

uint32_t IdMap::range_to_kernel(uint32_t id, uint32_t count) const {
  for (const Extent& e : extents)
    if (id >= e.first && id - e.first < e.count && count <= e.count - (id - e.first))
      return e.kernel_first + (id - e.first);
  return NO_ID;
}

uint32_t IdMap::from_kernel(uint32_t kid) const {
  for (const Extent& e : extents)
    if (kid >= e.kernel_first && kid - e.kernel_first < e.count) return e.first + (kid - e.kernel_first);
  return NO_ID;
}

UserNamespace::UserNamespace() : Namespace(CLONE_NEWUSER, nullptr, INITIAL_USER_NS_INO) {
  uids.extents = gids.extents = projids.extents = {{0, 0, NO_ID}};
}

UserNamespace::UserNamespace(Ref<const UserNamespace> above, const Cred& creator)
    : Namespace(CLONE_NEWUSER, above),
      parent(std::move(above)),
      level(parent->level + 1),
      owner(creator.euid),
      group(creator.egid),
      parent_could_setfcap(creator.capable_here(CAP_SETFCAP)),
      setgroups_allowed(parent->setgroups_allowed) {}

bool UserNamespace::is_below(const UserNamespace& above) const {
  const UserNamespace* ns = this;
  while (ns->level > above.level) ns = ns->parent.get();
  return ns == &above;
}

const Ref<UserNamespace>& initial_user_ns() {
  static const auto* ns = new Ref<UserNamespace>(make_ref<UserNamespace>());  // outlives every Cred
  return *ns;
}

Result<void> create_user_ns(Cred& next, bool chrooted) {
  if (next.user_ns->level > MAX_USER_NS_LEVEL) return Error{ENOSPC};
  TRY(Namespace::check_room(CLONE_NEWUSER));
  // A set-user-ID program must not find itself in a directory that somebody chose to be the root.
  if (chrooted) return Error{EPERM};
  if (!next.user_ns->maps_uid(next.euid) || !next.user_ns->maps_gid(next.egid)) return Error{EPERM};
  enter_user_ns(next, make_ref<UserNamespace>(next.user_ns, next));
  return {};
}

void enter_user_ns(Cred& next, Ref<const UserNamespace> ns) {
  next.securebits = 0;
  next.cap_inheritable = next.cap_ambient = 0;
  next.cap_permitted = next.cap_effective = next.cap_bounding = CAP_FULL;
  next.user_ns = std::move(ns);
}

std::string show_id_map(const UserNamespace& ns, IdKind kind, const Cred& reader) {
  // Somebody inside sees the ids of the parent.
  const UserNamespace* lower = reader.user_ns.get();
  if (lower == &ns && ns.parent) lower = ns.parent.get();
  std::string text;
  for (const IdMap::Extent& e : map_of(ns, kind).extents)
    text += fmt::format("{:10} {:10} {:10}\n", e.first, map_of(*lower, kind).from_kernel(e.kernel_first),
                        e.count);
  return text;
}

Result<void> write_id_map(UserNamespace& ns, IdKind kind, const Cred& opener, const Cred& writer,
                          std::string_view text) {
  if (!ns.parent) return Error{EPERM};
  if (opener.user_ns.get() != &ns && opener.user_ns != ns.parent) return Error{EPERM};
  if (text.size() >= PAGE) return Error{EINVAL};
  IdMap& map = map_of(ns, kind);
  if (!map.extents.empty()) return Error{EPERM};  // once and for all
  if (kind != IdKind::projid && !opener.capable_in(ns, CAP_SYS_ADMIN)) return Error{EPERM};
  std::vector<IdMap::Extent> extents = TRY(parse_map(text));
  if (!map_permitted(ns, kind, opener, writer, extents)) return Error{EPERM};
  for (IdMap::Extent& e : extents) {
    e.kernel_first = map_of(*ns.parent, kind).range_to_kernel(e.kernel_first, e.count);
    if (e.kernel_first == NO_ID) return Error{EPERM};
  }
  map.extents = std::move(extents);
  return {};
}

Result<void> write_setgroups(UserNamespace& ns, const Cred& opener, std::string_view text) {
  if (!opener.capable_in(ns, CAP_SYS_ADMIN)) return Error{EACCES};
  constexpr size_t LONGEST = 8;
  if (text.size() >= LONGEST) return Error{EINVAL};
  const bool allow = text.starts_with("allow");
  if (!allow && !text.starts_with("deny")) return Error{EINVAL};
  if (!skip_blanks(text.substr(allow ? 5 : 4)).empty()) return Error{EINVAL};
  if (allow) return ns.setgroups_allowed ? Result<void>() : Error{EPERM};
  if (!ns.gids.extents.empty()) return Error{EPERM};
  ns.setgroups_allowed = false;
  return {};
}

}  // namespace starry
