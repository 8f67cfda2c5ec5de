#include "match.h"

#include <algorithm>
#include <cstdlib>

#include "lexer.h"
#include "starrydiff/strings.h"

namespace starry::diff {
namespace {

bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f'); }

constexpr int64_t FIRST_EPHEMERAL_PORT = 32768;  // ip_local_port_range of Linux

// The end of the number that begins at s[i].
size_t number_end(std::string_view s, size_t i) {
  if (s[i] == '0' && i + 1 < s.size() && s[i + 1] == 'x') {
    i += 2;
    while (i < s.size() && hex_digit(s[i])) i++;
  } else {
    while (i < s.size() && digit(s[i])) i++;
  }
  return i;
}

// Digits that belong to a time or date: "14:42:33.380", "2026-11-23".
bool in_time(std::string_view s, size_t begin, size_t end) {
  const auto at = [&](size_t i) { return i < s.size() ? s[i] : '\0'; };
  const bool before = begin >= 2 && digit(s[begin - 2]) &&
                      (s[begin - 1] == ':' || s[begin - 1] == '-' || s[begin - 1] == '.');
  // "2026-11-23/14/": the hour.
  const bool hour = begin >= 11 && s[begin - 1] == '/' && s[begin - 4] == '-' && s[begin - 7] == '-' &&
                    digit(s[begin - 2]) && digit(s[begin - 5]) && digit(s[begin - 8]);
  const bool after = (at(end) == ':' || at(end) == '-' || at(end) == '.') && digit(at(end + 1));
  return before || hour || after;
}

}  // namespace

Quoted quoted(std::string_view s, size_t at) {
  Quoted q;
  size_t i = at + 1;
  while (i < s.size() && s[i] != '"') i += s[i] == '\\' ? 2 : 1;
  i = std::min(i, s.size());
  q.text = s.substr(at + 1, i - at - 1);
  q.end = std::min(i + 1, s.size());
  if (s.substr(q.end).starts_with("...")) {
    q.cut = true;
    q.end += 3;
  }
  return q;
}

void Matcher::bind_pid(int64_t a, int64_t b) {
  pid_ab_[a] = b;
  pid_ba_[b] = a;
}

bool Matcher::pid(int64_t a, int64_t b, bool bind) {
  if (!normal_.pids) return a == b;
  const auto ab = pid_ab_.find(a);
  if (ab != pid_ab_.end()) {
    if (ab->second != b && a != b) return false;
  } else {
    const auto ba = pid_ba_.find(b);
    if (ba != pid_ba_.end() && ba->second != a) return false;
    if (!bind) return false;
    bind_pid(a, b);
  }
  if (a != b) {
    variable_text_ = true;
    pid_a_digits_ = static_cast<int64_t>(std::to_string(a).size());
    pid_b_digits_ = static_cast<int64_t>(std::to_string(b).size());
  }
  return true;
}

bool Matcher::port(int64_t a, int64_t b) {
  if (a == b) return true;
  if (!normal_.ports || a < FIRST_EPHEMERAL_PORT || b < FIRST_EPHEMERAL_PORT) return false;
  const auto ab = port_ab_.find(a);
  if (ab != port_ab_.end() && ab->second == b) return true;
  // A port may be used again by another connection; what matters is that both are the kernel's choice.
  port_ab_[a] = b;
  return true;
}

bool Matcher::same_ref(const Ref& a, const Ref& b, bool made, bool alone, bool memory_call) {
  if (a.kind != b.kind) return false;
  if (a.kind == RefKind::fd) {
    const bool same_number = a.value == b.value;
    const auto bound = object_ab_.find(a.object);
    const bool known = bound != object_ab_.end();
    if (made || !known) {
      if (!made && !same_number) {
        const auto back = object_ba_.find(b.object);
        if (back != object_ba_.end() && back->second != a.object) return false;
      }
      object_ab_[a.object] = b.object;
      object_ba_[b.object] = a.object;
      fd_ab_[a.value] = b.value;
      if (same_number || !made || !alone) return same_number || normal_.fds;
      // A descriptor that one side has too many shifts all that follow; it is said once.
      const bool said = normal_.fds && b.value - a.value == fd_shift_;
      fd_shift_ = b.value - a.value;
      return said;
    }
    return same_number || (normal_.fds && bound->second == b.object);
  }
  if (!normal_.addresses) return a.value == b.value && (a.object == 0) == (b.object == 0);
  // What an address is for other calls is the program's affair; the kernel only follows it.
  if (!memory_call || !alone || a.object == 0 || b.object == 0) return true;
  const bool arena = a_.objects[a.object].arena || b_.objects[b.object].arena;
  const auto ab = object_ab_.find(a.object);
  const auto ba = object_ba_.find(b.object);
  if (made || (ab == object_ab_.end() && ba == object_ba_.end())) {
    object_ab_[a.object] = b.object;
    object_ba_[b.object] = a.object;
    return arena || a.value == b.value;
  }
  if (ab == object_ab_.end() || ab->second != b.object) return false;
  return arena || a.value == b.value;
}

bool Matcher::same_number(std::string_view a, std::string_view b, std::string_view field, const Context& c) {
  if (a == b) return true;
  const int64_t na = std::strtoll(std::string(a).c_str(), nullptr, 0),
                nb = std::strtoll(std::string(b).c_str(), nullptr, 0);
  if (na == nb && a.starts_with("0x") != b.starts_with("0x")) return true;
  if (normal_.times && time_field(field) && (c.output || c.absolute || na >= 100'000'000)) return true;
  if (normal_.inodes && inode_field(field)) return true;
  if (field.ends_with("port")) return port(na, nb);
  if (field == "u32" || field == "u64") {
    constexpr int64_t LOWEST_ADDRESS = 0x400000;
    if (normal_.addresses && na >= LOWEST_ADDRESS && nb >= LOWEST_ADDRESS) return true;
    const auto fd = fd_ab_.find(na);
    return normal_.fds && fd != fd_ab_.end() && fd->second == nb;
  }
  if (normal_.random && c.random) return true;
  return pid(na, nb, c.pid_kind || field == "si_pid" || field == "l_pid" || field == "nl_pid");
}

bool Matcher::same_string(std::string_view a, std::string_view b, const Context& c) {
  if (normal_.random && (c.random || (c.random_data && binary(a) && binary(b)))) return true;
  const Quoted qa = quoted(a, 0), qb = quoted(b, 0);
  size_t i = 0, j = 0;
  const std::string_view x = qa.text, y = qb.text;
  if (normal_.random && random_names_.same(x, y, c.makes_file)) return true;
  while (i < x.size() && j < y.size()) {
    if (digit(x[i]) && digit(y[j]) && (i == 0 || x[i - 1] != '\\')) {
      const size_t ie = number_end(x, i), je = number_end(y, j);
      // A number at the place where either is cut off is not whole.
      if ((ie == x.size() && qa.cut) || (je == y.size() && qb.cut)) return true;
      const std::string_view nx = x.substr(i, ie - i), ny = y.substr(j, je - j);
      if (nx != ny) {
        std::string_view tx = nx, ty = ny;
        int64_t vx = 0, vy = 0;
        const bool numbers = take_number(tx, vx) && take_number(ty, vy) && tx.empty() && ty.empty();
        if (c.numbers || (normal_.times && in_time(x, i, ie) && in_time(y, j, je)))
          variable_text_ = true;
        else if (!numbers || !pid(vx, vy, false))
          return false;
      }
      i = ie;
      j = je;
    } else if (x[i] == y[j]) {
      i++;
      j++;
    } else {
      return false;
    }
  }
  // One may be cut off earlier than the other (-s).
  return (i == x.size() || qb.cut) && (j == y.size() || qa.cut);
}

bool Matcher::same_text(std::string_view a, std::string_view b, uint32_t& ra, uint32_t& rb, const Event& ea,
                        const Event& eb, const Context& c) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    const char x = a[i], y = b[j];
    if (x == '"' && y == '"') {
      const Quoted qa = quoted(a, i), qb = quoted(b, j);
      if (a.substr(i, qa.end - i) != b.substr(j, qb.end - j) &&
          !same_string(a.substr(i, qa.end - i), b.substr(j, qb.end - j), c))
        return false;
      i = qa.end;
      j = qb.end;
    } else if (x < 3 && x > 0 && x == y) {
      if (ra >= ea.first_ref + ea.ref_count || rb >= eb.first_ref + eb.ref_count) return false;
      const bool made = c.output && x == FD_MARK;
      if (!same_ref(a_.refs[ra++], b_.refs[rb++], made, c.alone, c.memory_call)) return false;
      i++;
      j++;
    } else if (digit(x) && digit(y) && (i == 0 || !word(a[i - 1]))) {
      const size_t ie = number_end(a, i), je = number_end(b, j);
      if (!same_number(a.substr(i, ie - i), b.substr(j, je - j), field_before(a, i), c)) return false;
      i = ie;
      j = je;
    } else if (x == y) {
      i++;
      j++;
    } else if (x == ' ') {
      i++;
    } else if (y == ' ') {
      j++;
    } else {
      return false;
    }
  }
  return i == a.size() && j == b.size();
}

bool Matcher::same_arg(const Event& ea, const Arg& a, uint32_t& ra, const Event& eb, const Arg& b,
                       uint32_t& rb, const Context& c) {
  const std::string_view x = strings_[a.text], y = strings_[b.text];
  const auto marks = [](std::string_view s) {
    return static_cast<uint32_t>(
        std::count_if(s.begin(), s.end(), [](char ch) { return ch == ADDRESS_MARK || ch == FD_MARK; }));
  };
  const uint32_t next_a = ra + marks(x), next_b = rb + marks(y);
  bool same = false;
  if (x == "?" || y == "?") {
    same = true;  // one log does not say
  } else if (a.text == b.text && next_a == ra) {
    same = true;
  } else {
    same = same_text(x, y, ra, rb, ea, eb, c);
  }
  ra = next_a;
  rb = next_b;
  return same;
}

}  // namespace starry::diff
