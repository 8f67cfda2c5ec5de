#include "report.h"
namespace starry::diff {
void report_json(const std::string&, const std::vector<Comparison>&, const Strings&) {}
void report_html(const std::string&, const std::vector<Comparison>&, const Strings&) {}
void report_perfetto(const std::string&, const Log&, const Strings&) {}
void report_profile(const std::string&, const Comparison&, const Strings&) {}
}
