#include "emulated_kernel/trace/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "emulated_kernel/abi/syscall_spec.h"

namespace starry::trace {

struct Summary::Row {
  std::string name;
  Counts counts;
};

namespace {

enum class Column : uint8_t { NONE, PERCENT, TOTAL, MIN, MAX, AVERAGE, CALLS, ERRORS, NAME };

// strace's names of columns, for -S and -U. '_' may stand for '-'.
constexpr struct {
  const char* name;
  Column column;
} NAMES[] = {
    {"time", Column::PERCENT},      {"time-percent", Column::PERCENT},
    {"time-total", Column::TOTAL},  {"total-time", Column::TOTAL},
    {"min-time", Column::MIN},      {"time-min", Column::MIN},
    {"shortest", Column::MIN},      {"max-time", Column::MAX},
    {"time-max", Column::MAX},      {"longest", Column::MAX},
    {"avg-time", Column::AVERAGE},  {"time-avg", Column::AVERAGE},
    {"calls", Column::CALLS},       {"count", Column::CALLS},
    {"error", Column::ERRORS},      {"errors", Column::ERRORS},
    {"name", Column::NAME},         {"syscall", Column::NAME},
    {"syscall-name", Column::NAME}, {"none", Column::NONE},
    {"nothing", Column::NONE},
};

constexpr struct {
  const char* title;
  size_t width;
} TITLES[] = {{"", 0},         {"% time", 6},  {"seconds", 11},
              {"shortest", 8}, {"longest", 8}, {"usecs/call", 11},
              {"calls", 9},    {"errors", 9},  {"syscall", 16}};

// False if there is no such column.
bool find_column(std::string name, Column& out) {
  std::replace(name.begin(), name.end(), '_', '-');
  for (const auto& n : NAMES) {
    if (name != n.name) continue;
    out = n.column;
    return true;
  }
  return false;
}

// The columns of a list like that of -U; the message if it is wrong.
std::string parse_columns(const std::string& list, std::vector<Column>& out) {
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string name = list.substr(at, comma - at);
    Column c = Column::NONE;
    if (!find_column(name, c) || c == Column::NONE) return fmt::format("unknown column name: '{}'", name);
    if (std::find(out.begin(), out.end(), c) != out.end())
      return fmt::format("call summary column has been provided more than once: '{}'", name);
    out.push_back(c);
    at = comma + 1;
  }
  return {};
}

double seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

}  // namespace

void Summary::count(int64_t nr, uint64_t ns, bool failed) {
  Counts& c = calls_[nr];
  ++c.calls;
  c.errors += failed ? 1 : 0;
  c.total_ns += ns;
  c.min_ns = std::min(c.min_ns, ns);
  c.max_ns = std::max(c.max_ns, ns);
}

std::string Summary::check_sort(const std::string& sort) {
  Column c;
  return find_column(sort, c) ? std::string() : fmt::format("invalid sortby: '{}'", sort);
}

std::string Summary::check_columns(const std::string& columns) {
  std::vector<Column> list;
  return parse_columns(columns, list);
}

std::string Summary::table(const std::string& sort, const std::string& columns) const {
  std::vector<Column> shown;
  (void)parse_columns(columns.empty() ? "time,total-time,avg-time,calls,errors" : columns, shown);
  if (std::find(shown.begin(), shown.end(), Column::NAME) == shown.end()) shown.push_back(Column::NAME);

  std::vector<Row> rows;
  Counts total;
  uint64_t longest_min = 0, longest_average = 0;
  size_t longest_name = 0;
  for (const auto& [nr, c] : calls_) {
    const char* name = syscall_spec(nr).name;
    rows.push_back({name != nullptr ? name : fmt::format("syscall_{:#x}", static_cast<uint64_t>(nr)), c});
    total.calls += c.calls;
    total.errors += c.errors;
    total.total_ns += c.total_ns;
    total.min_ns = std::min(total.min_ns, c.min_ns);
    total.max_ns = std::max(total.max_ns, c.max_ns);
    longest_min = std::max(longest_min, c.min_ns);
    longest_average = std::max(longest_average, c.average_ns());
    longest_name = std::max(longest_name, rows.back().name.size());
  }
  Column by = Column::PERCENT;
  (void)find_column(sort, by);
  const auto order = [by](const Row& a, const Row& b) {
    switch (by) {
      case Column::MIN:
        return a.counts.min_ns > b.counts.min_ns;
      case Column::MAX:
        return a.counts.max_ns > b.counts.max_ns;
      case Column::AVERAGE:
        return a.counts.average_ns() > b.counts.average_ns();
      case Column::CALLS:
        return a.counts.calls > b.counts.calls;
      case Column::ERRORS:
        return a.counts.errors > b.counts.errors;
      case Column::NAME:
        return a.name < b.name;
      default:
        return a.counts.total_ns > b.counts.total_ns;
    }
  };
  if (by != Column::NONE) std::stable_sort(rows.begin(), rows.end(), order);

  const auto width = [&](Column c) {
    const size_t least = TITLES[static_cast<size_t>(c)].width;
    switch (c) {
      case Column::TOTAL:
        return std::max(least, fmt::formatted_size("{:.6f}", seconds(total.total_ns)));
      case Column::MIN:
        return std::max(least, fmt::formatted_size("{:.6f}", seconds(longest_min)));
      case Column::MAX:
        return std::max(least, fmt::formatted_size("{:.6f}", seconds(total.max_ns)));
      case Column::AVERAGE:
        return std::max(least, fmt::formatted_size("{}", longest_average / 1000));
      case Column::CALLS:
        return std::max(least, fmt::formatted_size("{}", total.calls));
      case Column::ERRORS:
        return std::max(least, fmt::formatted_size("{}", total.errors));
      case Column::NAME:
        return std::max(least, longest_name + 1);
      default:
        return least;
    }
  };

  std::string out;
  const auto line = [&](auto&& cell) {
    for (size_t i = 0; i < shown.size(); ++i) {
      if (i != 0) out += ' ';
      const std::string text = cell(shown[i]);
      if (shown[i] != Column::NAME)
        out += fmt::format("{:>{}}", text, width(shown[i]));
      else if (i + 1 == shown.size())
        out += text;
      else
        out += fmt::format("{:<{}}", text, width(shown[i]));
    }
    out += '\n';
  };
  const auto numbers = [&](const Row& r, double percent) {
    line([&](Column c) -> std::string {
      switch (c) {
        case Column::PERCENT:
          return fmt::format("{:.2f}", percent);
        case Column::TOTAL:
          return fmt::format("{:.6f}", seconds(r.counts.total_ns));
        case Column::MIN:
          return fmt::format("{:.6f}", seconds(r.counts.min_ns));
        case Column::MAX:
          return fmt::format("{:.6f}", seconds(r.counts.max_ns));
        case Column::AVERAGE:
          return fmt::format("{}", r.counts.average_ns() / 1000);
        case Column::CALLS:
          return fmt::format("{}", r.counts.calls);
        case Column::ERRORS:
          return r.counts.errors == 0 ? "" : fmt::format("{}", r.counts.errors);
        default:
          return r.name;
      }
    });
  };
  const auto rule = [&] { line([&](Column c) { return std::string(width(c), '-'); }); };
  line([](Column c) { return std::string(TITLES[static_cast<size_t>(c)].title); });
  rule();
  for (const Row& r : rows)
    numbers(r, total.total_ns == 0
                   ? 0.0
                   : 100.0 * static_cast<double>(r.counts.total_ns) / static_cast<double>(total.total_ns));
  rule();
  numbers({"total", total}, 100.0);
  return out;
}

}  // namespace starry::trace
