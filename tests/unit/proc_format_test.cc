#include "vfs/procfs/format.h"

#include <gtest/gtest.h>

namespace starry::proc {
namespace {

CpuMask mask_of(std::initializer_list<size_t> cpus) {
  CpuMask mask;
  for (const size_t cpu : cpus) mask.set(cpu);
  return mask;
}

// The forms of "%*pb" (lib/vsprintf.c): as wide as the number of CPUs, in groups of 32 bits.
TEST(ProcFormat, Masks) {
  EXPECT_EQ(mask_text(mask_of({0, 1}), 2), "3");
  EXPECT_EQ(mask_text(mask_of({0}), 5), "01");
  EXPECT_EQ(mask_text(first_cpus(20), 20), "fffff");
  EXPECT_EQ(mask_text(first_cpus(32), 32), "ffffffff");
  EXPECT_EQ(mask_text(mask_of({0, 33}), 40), "02,00000001");
  EXPECT_EQ(mask_text(mask_of({0, 1, 2, 900}), 2), "3") << "CPUs that do not exist are not shown";
}

TEST(ProcFormat, Lists) {
  EXPECT_EQ(list_text(mask_of({0}), 1), "0");
  EXPECT_EQ(list_text(first_cpus(20), 20), "0-19");
  EXPECT_EQ(list_text(mask_of({0, 2, 3, 4, 9}), 10), "0,2-4,9");
  EXPECT_EQ(list_text(mask_of({0, 1}), 2), "0-1");
  EXPECT_EQ(list_text(CpuMask(), 4), "");
}

TEST(ProcFormat, Numbers) {
  EXPECT_EQ(parse_number("500", -1000, 1000).value(), 500);
  EXPECT_EQ(parse_number(" -17\n", -1000, 1000).value(), -17);
  EXPECT_EQ(parse_number("1001", -1000, 1000).code(), EINVAL);
  EXPECT_EQ(parse_number("", 0, 1).code(), EINVAL);
  EXPECT_EQ(parse_number("\n", 0, 1).code(), EINVAL);
  EXPECT_EQ(parse_number("1x", 0, 10).code(), EINVAL);
  EXPECT_EQ(parse_number("99999999999999999999", 0, 10).code(), ERANGE);
}

TEST(ProcFormat, Names) {
  EXPECT_EQ(escape_name("/plain"), "/plain");
  EXPECT_EQ(escape_name("/a b\tc\nd\\e"), "/a\\040b\\011c\\012d\\134e");
}

}  // namespace
}  // namespace starry::proc
