// Classic BPF of seccomp(2): what is refused, and what programs compute.
#include "emulated_kernel/task/seccomp_bpf.h"

#include <gtest/gtest.h>

#include <vector>

namespace starry {
namespace {

using Program = std::vector<sock_filter>;

sock_filter stmt(int code, uint32_t k) { return {static_cast<uint16_t>(code), 0, 0, k}; }
sock_filter jump(int code, uint32_t k, uint8_t jt, uint8_t jf) {
  return {static_cast<uint16_t>(code), jt, jf, k};
}
const sock_filter RET_A = stmt(BPF_RET | BPF_A, 0);

uint32_t run(const Program& p, seccomp_data d = {}) {
  EXPECT_TRUE(bpf_check(p).ok());
  return bpf_run(p, d);
}
// A = a, then `code` with operand b, as a constant and through X.
void expect_alu(int op, uint32_t a, uint32_t b, uint32_t result) {
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, a), stmt(BPF_ALU | op | BPF_K, b), RET_A}), result);
  EXPECT_EQ(
      run({stmt(BPF_LDX | BPF_IMM, b), stmt(BPF_LD | BPF_IMM, a), stmt(BPF_ALU | op | BPF_X, 0), RET_A}),
      result);
}

TEST(SeccompBpf, Arithmetic) {
  expect_alu(BPF_ADD, 0xffffffff, 2, 1);
  expect_alu(BPF_SUB, 1, 2, 0xffffffff);
  expect_alu(BPF_MUL, 0x10000, 0x10001, 0x10000);
  expect_alu(BPF_DIV, 7, 2, 3);
  expect_alu(BPF_AND, 0xf0f0, 0xff, 0xf0);
  expect_alu(BPF_OR, 0xf000, 0xf, 0xf00f);
  expect_alu(BPF_XOR, 6, 3, 5);
  expect_alu(BPF_LSH, 1, 31, 0x80000000);
  expect_alu(BPF_RSH, 0x80000000, 31, 1);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 5), stmt(BPF_ALU | BPF_NEG, 0), RET_A}), 0xfffffffbU);
}

TEST(SeccompBpf, DivisionByZeroEndsTheProgram) {
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 5), stmt(BPF_ALU | BPF_DIV | BPF_X, 0), stmt(BPF_RET | BPF_K, 9)}),
            0U);
  EXPECT_FALSE(bpf_check(Program{stmt(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A}).ok());
}

TEST(SeccompBpf, LoadsWordsOfTheData) {
  seccomp_data d{};
  d.nr = 42;
  d.args[5] = 0x1122334455667788;
  EXPECT_EQ(run({stmt(BPF_LD | BPF_W | BPF_ABS, 0), RET_A}, d), 42U);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_W | BPF_ABS, 56), RET_A}, d), 0x55667788U);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_W | BPF_ABS, 60), RET_A}, d), 0x11223344U);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_W | BPF_LEN, 0), RET_A}, d), sizeof d);
  for (const uint32_t k : {1U, 62U, 64U, 0xfffffffcU})
    EXPECT_FALSE(bpf_check(Program{stmt(BPF_LD | BPF_W | BPF_ABS, k), RET_A}).ok()) << k;
}

TEST(SeccompBpf, Jumps) {
  const auto taken = [](int op, uint32_t a, uint32_t k) {
    return run({stmt(BPF_LD | BPF_IMM, a), jump(BPF_JMP | op | BPF_K, k, 1, 0), stmt(BPF_RET | BPF_K, 0),
                stmt(BPF_RET | BPF_K, 1)});
  };
  EXPECT_EQ(taken(BPF_JEQ, 5, 5), 1U);
  EXPECT_EQ(taken(BPF_JEQ, 5, 6), 0U);
  EXPECT_EQ(taken(BPF_JGT, 5, 5), 0U);
  EXPECT_EQ(taken(BPF_JGT, 0xffffffff, 5), 1U);
  EXPECT_EQ(taken(BPF_JGE, 5, 5), 1U);
  EXPECT_EQ(taken(BPF_JSET, 6, 2), 1U);
  EXPECT_EQ(taken(BPF_JSET, 4, 2), 0U);
  EXPECT_EQ(run({stmt(BPF_JMP | BPF_JA, 1), stmt(BPF_RET | BPF_K, 1), stmt(BPF_RET | BPF_K, 2)}), 2U);
  EXPECT_FALSE(bpf_check(Program{stmt(BPF_JMP | BPF_JA, 1), RET_A}).ok());
  EXPECT_FALSE(bpf_check(Program{stmt(BPF_JMP | BPF_JA, 0xffffffff), RET_A}).ok());
}

TEST(SeccompBpf, MemoryMustBeWrittenOnEveryPath) {
  const sock_filter store = stmt(BPF_ST, 3), load = stmt(BPF_LD | BPF_MEM, 3);
  EXPECT_EQ(run({stmt(BPF_LD | BPF_IMM, 8), store, stmt(BPF_LD | BPF_IMM, 0), load, RET_A}), 8U);
  EXPECT_FALSE(bpf_check(Program{load, RET_A}).ok());
  // Written on one of two ways only.
  EXPECT_FALSE(bpf_check(Program{jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), store, load, RET_A}).ok());
  EXPECT_TRUE(bpf_check(Program{store, jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), store, load, RET_A}).ok());
  EXPECT_FALSE(bpf_check(Program{stmt(BPF_STX, 16), RET_A}).ok());
}

TEST(SeccompBpf, RefusesWhatSeccompDoesNotHave) {
  EXPECT_FALSE(bpf_check(Program{}).ok());
  EXPECT_FALSE(bpf_check(Program{stmt(BPF_LD | BPF_IMM, 0)}).ok());
  EXPECT_FALSE(bpf_check(Program(BPF_MAXINSNS + 1, RET_A)).ok());
  EXPECT_TRUE(bpf_check(Program(BPF_MAXINSNS, RET_A)).ok());
  for (const int code : {BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND,
                         BPF_LDX | BPF_B | BPF_MSH, BPF_ALU | BPF_MOD | BPF_K, BPF_RET | BPF_X, 0xffff})
    EXPECT_FALSE(bpf_check(Program{stmt(code, 0), RET_A}).ok()) << code;
}

}  // namespace
}  // namespace starry
