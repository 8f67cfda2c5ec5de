// Logs from text, compared: what the tests of starrydiff share.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "starrydiff/compare.h"
#include "starrydiff/describe.h"
#include "starrydiff/reader.h"

namespace starry::diff {

struct World {
  Strings strings;
  Normal normal;
  Rules rules;
  Log a, b;
  Comparison c;

  Log log(const std::string& text) {
    Log l = read_text(text, strings);
    normalise(l, strings, normal);
    return l;
  }
  const Comparison& compare(const std::string& first, const std::string& second, const Variation& v = {}) {
    a = log(first);
    b = log(second);
    c = starry::diff::compare(a, b, strings, normal, v, rules);
    return c;
  }
  const Divergence& first() { return c.divergences.at(c.first); }
  std::string first_call() { return std::string(divergence_call(c, strings, first())); }
  std::string args(const Event& e) { return std::string(e.args); }
  std::string name(const Event& e) { return std::string(strings[e.name]); }
};

}  // namespace starry::diff
