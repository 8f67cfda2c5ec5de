#include "lexer.h"
#include "starrydiff/strings.h"

#include <cstring>

namespace starry::diff {
namespace {

constexpr int64_t SECOND = 1'000'000'000;

bool name_char(char c) {
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '?';
}
void skip_spaces(std::string_view& s) {
  while (!s.empty() && (s[0] == ' ' || s[0] == '\t')) s.remove_prefix(1);
}

// ".123456" in ns; the digits are cut off.
int64_t take_fraction(std::string_view& s) {
  if (s.size() < 2 || s[0] != '.' || !digit(s[1])) return 0;
  s.remove_prefix(1);
  int64_t ns = 0, unit = SECOND / 10;
  while (!s.empty() && digit(s[0])) {
    ns += (s[0] - '0') * unit;
    unit /= 10;
    s.remove_prefix(1);
  }
  return ns;
}

// "12:34:56[.123456] ", "1700000000.123456 ", "     0.000012 " (-r; also "+0.000012").
bool take_time(std::string_view& line, Prefix& p) {
  std::string_view s = line;
  skip_spaces(s);
  if (!s.empty() && s[0] == '+') s.remove_prefix(1);
  skip_spaces(s);
  int64_t n = 0;
  if (!take_number(s, n) || s.empty()) return false;
  if (s[0] == ':') {
    int64_t minute = 0, second = 0;
    s.remove_prefix(1);
    if (!take_number(s, minute) || s.empty() || s[0] != ':') return false;
    s.remove_prefix(1);
    if (!take_number(s, second) || n > 23 || minute > 59 || second > 60) return false;
    p.time = ((n * 60 + minute) * 60 + second) * SECOND;
  } else if (s[0] == '.') {
    if (n > INT64_MAX / SECOND / 2) return false;
    p.absolute_date = n >= 100'000'000;
    p.relative = !p.absolute_date;
    p.time = n * SECOND;
  } else {
    return false;
  }
  p.time += take_fraction(s);
  if (s.empty() || s[0] != ' ') return false;
  skip_spaces(s);
  line = s;
  return true;
}

void take_pid(std::string_view& line, Prefix& p) {
  std::string_view s = line;
  int64_t n = 0;
  if (s.starts_with("[pid")) {
    s.remove_prefix(4);
    skip_spaces(s);
    if (!take_number(s, n) || s.empty() || s[0] != ']') return;
    s.remove_prefix(1);
  } else if (!take_number(s, n) || s.empty() || s[0] != ' ') {
    return;
  }
  if (n <= 0 || n > INT32_MAX) return;
  p.pid = static_cast<int>(n);
  skip_spaces(s);
  line = s;
}

// "[  59] " and "[00007f3a...] ".
void take_bracket(std::string_view& line) {
  if (line.empty() || line[0] != '[') return;
  const size_t close = line.find(']');
  if (close == std::string_view::npos || close > 18 || close + 1 >= line.size() || line[close + 1] != ' ')
    return;
  for (const char c : line.substr(1, close - 1))
    if (c != ' ' && c != '?' && !digit(c) && !(c >= 'a' && c <= 'f')) return;
  line.remove_prefix(close + 1);
  skip_spaces(line);
}

// " <0.000012>" at the end.
int64_t cut_duration(std::string_view& s) {
  if (s.size() < 5 || s.back() != '>') return -1;
  const size_t open = s.rfind('<');
  if (open == std::string_view::npos || open == 0 || s[open - 1] != ' ') return -1;
  std::string_view t = s.substr(open + 1);
  int64_t n = 0;
  if (!take_number(t, n) || t.empty() || t[0] != '.' || n > INT64_MAX / SECOND / 2) return -1;
  n = n * SECOND + take_fraction(t);
  if (t != ">") return -1;
  s = trim(s.substr(0, open));
  return n;
}

// The last ") = " of the line: everything before is arguments (strings may contain anything).
bool split_return(std::string_view s, size_t& close, std::string_view& ret) {
  for (size_t at = s.size(); (at = s.rfind('=', at)) != std::string_view::npos; at--) {
    if (at > 0 && at + 1 < s.size() && s[at - 1] == ' ' && s[at + 1] == ' ') {
      size_t i = at;
      while (i > 0 && s[i - 1] == ' ') i--;
      if (i > 0 && s[i - 1] == ')') {
        close = i - 1;
        ret = trim(s.substr(at + 2));
        return true;
      }
    }
    if (at == 0) return false;
  }
  return false;
}

Statement parse_call(std::string_view line, size_t open) {
  Statement s;
  s.name = line.substr(0, open);
  std::string_view rest = line.substr(open + 1);
  size_t close = 0;
  constexpr std::string_view UNFINISHED = "<unfinished ...>";
  std::string_view r = trim(rest);
  // "<pid changed to 12 ...>": a thread executes a program and goes on as the process's first.
  const size_t changed = r.ends_with(" ...>") ? r.rfind("<pid changed to ") : std::string_view::npos;
  if (r.ends_with(UNFINISHED) || changed != std::string_view::npos) {
    r = r.substr(0, changed != std::string_view::npos ? changed : r.size() - UNFINISHED.size());
    if (!r.empty() && r.back() == ' ') r.remove_suffix(1);
    s.form = Form::entry;
    s.args = r;
    return s;
  }
  std::string_view whole = rest;
  s.duration = cut_duration(rest);
  if (!split_return(rest, close, s.ret)) {
    s.form = Form::torn;
    s.args = whole;
    s.duration = -1;
    return s;
  }
  s.form = Form::call;
  s.args = rest.substr(0, close);
  // The task ended inside: "read(0,  <unfinished ...>) = ?".
  if (s.args.ends_with(UNFINISHED)) {
    s.args.remove_suffix(UNFINISHED.size());
    s.args = trim(s.args);
    if (s.args.ends_with(',')) s.args.remove_suffix(1);
  }
  return s;
}

// What follows "<... ".
Statement parse_resumed(std::string_view rest) {
  Statement s;
  const size_t mark = rest.find(" resumed>");
  if (mark == std::string_view::npos) return s;
  s.name = rest.substr(0, mark);
  for (const char c : s.name)
    if (!name_char(c)) return s;
  rest.remove_prefix(mark + 9);
  s.duration = cut_duration(rest);
  size_t close = 0;
  constexpr std::string_view UNFINISHED = "<unfinished ...>";
  if (split_return(rest, close, s.ret)) {
    s.args = rest.substr(0, close);
    if (s.args.ends_with(UNFINISHED)) s.args.remove_suffix(UNFINISHED.size());
    s.form = Form::resumed;
  }
  return s;
}

Statement parse_marked(std::string_view line, bool signal) {
  Statement s;
  const std::string_view mark = signal ? " ---" : " +++";
  if (line.size() < 9 || !line.ends_with(mark)) return s;
  const std::string_view inner = line.substr(4, line.size() - 8);
  s.args = inner;
  if (signal) {
    if (inner.starts_with("stopped by ")) {
      s.form = Form::stop;
      s.name = inner.substr(11);
    } else {
      s.form = Form::signal;
      s.name = inner.substr(0, inner.find(' '));
    }
  } else if (inner.starts_with("exited with ")) {
    s.form = Form::exit;
    s.name = inner.substr(12);
  } else if (inner.starts_with("killed by ")) {
    s.form = Form::killed;
    s.name = inner.substr(10);
    s.name = s.name.substr(0, s.name.find(' '));
  } else if (inner.starts_with("superseded by execve in pid ")) {
    s.form = Form::superseded;
    s.name = inner.substr(28);
  }
  return s;
}

}  // namespace

std::string_view trim(std::string_view s) {
  skip_spaces(s);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\r' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

bool take_number(std::string_view& s, int64_t& n) {
  size_t i = 0;
  n = 0;
  while (i < s.size() && digit(s[i]) && i < 18) n = n * 10 + (s[i++] - '0');
  if (i == 0 || (i < s.size() && digit(s[i]))) return false;
  s.remove_prefix(i);
  return true;
}

Prefix take_prefix(std::string_view& line) {
  Prefix p;
  take_pid(line, p);
  if (take_time(line, p)) {
    // -t -r: "12:34:56 (+     0.000012) "
    if (line.starts_with("(+")) {
      const size_t close = line.find(") ");
      if (close != std::string_view::npos) line.remove_prefix(close + 2);
    }
    if (p.pid == 0) take_pid(line, p);
  }
  take_bracket(line);
  return p;
}

Statement parse_statement(std::string_view line) {
  Statement s;
  if (line.starts_with("<... ")) return parse_resumed(trim(line.substr(5)));
  if (line.starts_with("--- ")) return parse_marked(trim(line), true);
  if (line.starts_with("+++ ")) return parse_marked(trim(line), false);
  if (line.starts_with(" > ") || line.starts_with("> /") || line.starts_with("> [") ||
      line.starts_with("> unexpected") || line.starts_with(" > unexpected")) {
    s.form = Form::stack;
    return s;
  }
  if (line.starts_with("strace: ") || (line.starts_with("Process ") && line.ends_with("tached"))) {
    s.form = Form::notice;
    return s;
  }
  size_t i = 0;
  while (i < line.size() && name_char(line[i])) i++;
  if (i == 0 || digit(line[0]) || i >= line.size() || line[i] != '(') return s;
  return parse_call(line, i);
}

Result parse_result(std::string_view ret) {
  Result r;
  std::string_view s = ret;
  const bool negative = s.starts_with('-');
  if (negative) s.remove_prefix(1);
  if (s.starts_with("0x")) {
    uint64_t v = 0;
    size_t i = 2;
    for (; i < s.size() && i < 18; i++) {
      const char c = s[i];
      if (digit(c))
        v = v * 16 + static_cast<uint64_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        v = v * 16 + static_cast<uint64_t>(c - 'a' + 10);
      else
        break;
    }
    r.has_number = i > 2;
    r.number = static_cast<int64_t>(v);
    s.remove_prefix(i);
  } else if (take_number(s, r.number)) {
    r.has_number = true;
    if (negative) r.number = -r.number;
  } else if (s.starts_with('?')) {
    s.remove_prefix(1);
  }
  r.number_end = ret.size() - s.size();
  if ((r.has_number && r.number == -1) || ret.starts_with('?')) {
    s = trim(s);
    size_t i = 0;
    while (i < s.size() && name_char(s[i])) i++;
    if (i > 1 && s[0] == 'E') r.error = s.substr(0, i);
  }
  return r;
}

size_t argument_end(std::string_view args, size_t from) {
  int depth = 0;
  for (size_t i = from; i < args.size(); i++) {
    switch (args[i]) {
      case '"':
        for (i++; i < args.size() && args[i] != '"'; i++)
          if (args[i] == '\\') i++;
        break;
      case '/':
        if (i + 1 < args.size() && args[i + 1] == '*') {
          const size_t end = args.find("*/", i + 2);
          i = end == std::string_view::npos ? args.size() : end + 1;
        }
        break;
      case '<':
        // "3</tmp/a,b>" of -y: only directly behind a descriptor; "->" of a connection does not end it.
        if (i > from && (digit(args[i - 1]) || args[i - 1] == 'D') && i + 1 < args.size() &&
            args[i + 1] != '<') {
          int angle = 1;
          size_t j = i + 1;
          for (; j < args.size() && angle > 0; j++) {
            if (args[j] == '<') angle++;
            if (args[j] == '>' && args[j - 1] != '-') angle--;
          }
          if (angle == 0) i = j - 1;
        }
        break;
      case '(':
      case '[':
      case '{':
        depth++;
        break;
      case ')':
      case ']':
      case '}':
        depth--;
        break;
      case ',':
        if (depth <= 0) return i;
        break;
      default:
        break;
    }
  }
  return args.size();
}

}  // namespace starry::diff
