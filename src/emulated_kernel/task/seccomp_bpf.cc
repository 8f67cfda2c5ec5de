#include "emulated_kernel/task/seccomp_bpf.h"

#include <cstring>
#include <vector>

namespace starry {

namespace {

bool known(uint16_t code) {
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_ALU | BPF_NEG:
    case BPF_JMP | BPF_JA:
      return true;
    default:
      break;
  }
  const int op = BPF_OP(code);
  if ((code & ~(0xf0 | BPF_X)) == BPF_ALU) return op <= BPF_XOR && op != BPF_MOD && op != BPF_NEG;
  if ((code & ~(0xf0 | BPF_X)) == BPF_JMP)
    return op == BPF_JEQ || op == BPF_JGE || op == BPF_JGT || op == BPF_JSET;
  return false;
}

// What is wrong with one instruction by itself. `left`: instructions behind it.
bool operands_ok(const sock_filter& f, uint32_t left) {
  const bool constant = BPF_SRC(f.code) == BPF_K;
  switch (BPF_CLASS(f.code)) {
    case BPF_LD:
      if (BPF_MODE(f.code) == BPF_ABS) return f.k < sizeof(seccomp_data) && (f.k & 3) == 0;
      return BPF_MODE(f.code) != BPF_MEM || f.k < BPF_MEMWORDS;
    case BPF_LDX:
      return BPF_MODE(f.code) != BPF_MEM || f.k < BPF_MEMWORDS;
    case BPF_ST:
    case BPF_STX:
      return f.k < BPF_MEMWORDS;
    case BPF_ALU:
      if (BPF_OP(f.code) == BPF_DIV) return !constant || f.k != 0;
      if (BPF_OP(f.code) == BPF_LSH || BPF_OP(f.code) == BPF_RSH) return !constant || f.k < 32;
      return true;
    case BPF_JMP:
      if (BPF_OP(f.code) == BPF_JA) return f.k < left;
      return f.jt < left && f.jf < left;
    default:
      return true;
  }
}

// check_load_and_stores(): on every path a memory word is written before it is read.
bool memory_ok(std::span<const sock_filter> program) {
  std::vector<uint16_t> at_target(program.size(), 0xffff);
  uint16_t written = 0;
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& f = program[pc];
    written &= at_target[pc];
    const auto jump = [&](uint32_t by) { at_target[pc + 1 + by] &= written; };
    switch (f.code) {
      case BPF_ST:
      case BPF_STX:
        written |= static_cast<uint16_t>(1U << f.k);
        break;
      case BPF_LD | BPF_MEM:
      case BPF_LDX | BPF_MEM:
        if ((written & (1U << f.k)) == 0) return false;
        break;
      case BPF_JMP | BPF_JA:
        jump(f.k);
        written = 0xffff;
        break;
      default:
        if (BPF_CLASS(f.code) != BPF_JMP) break;
        jump(f.jt);
        jump(f.jf);
        written = 0xffff;
    }
  }
  return true;
}

uint32_t alu(int op, uint32_t a, uint32_t b) {
  switch (op) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_DIV:
      return b == 0 ? 0 : a / b;
    case BPF_OR:
      return a | b;
    case BPF_AND:
      return a & b;
    case BPF_LSH:
      return a << (b & 31);
    case BPF_RSH:
      return a >> (b & 31);
    case BPF_XOR:
      return a ^ b;
    default:
      return 0 - a;  // BPF_NEG
  }
}

bool holds(int op, uint32_t a, uint32_t b) {
  switch (op) {
    case BPF_JEQ:
      return a == b;
    case BPF_JGT:
      return a > b;
    case BPF_JGE:
      return a >= b;
    default:
      return (a & b) != 0;  // BPF_JSET
  }
}

}  // namespace

Result<void> bpf_check(std::span<const sock_filter> program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) return Error{EINVAL};
  for (size_t pc = 0; pc < program.size(); ++pc)
    if (!known(program[pc].code) || !operands_ok(program[pc], static_cast<uint32_t>(program.size() - pc - 1)))
      return Error{EINVAL};
  if (BPF_CLASS(program.back().code) != BPF_RET || !memory_ok(program)) return Error{EINVAL};
  return {};
}

uint32_t bpf_run(std::span<const sock_filter> program, const seccomp_data& data) {
  uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {};
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& f = program[pc];
    const uint32_t operand = BPF_SRC(f.code) == BPF_X ? x : f.k;
    switch (f.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const uint8_t*>(&data) + f.k, sizeof a);
        break;
      case BPF_LD | BPF_W | BPF_LEN:
        a = sizeof data;
        break;
      case BPF_LDX | BPF_W | BPF_LEN:
        x = sizeof data;
        break;
      case BPF_LD | BPF_IMM:
        a = f.k;
        break;
      case BPF_LDX | BPF_IMM:
        x = f.k;
        break;
      case BPF_LD | BPF_MEM:
        a = mem[f.k];
        break;
      case BPF_LDX | BPF_MEM:
        x = mem[f.k];
        break;
      case BPF_ST:
        mem[f.k] = a;
        break;
      case BPF_STX:
        mem[f.k] = x;
        break;
      case BPF_MISC | BPF_TAX:
        x = a;
        break;
      case BPF_MISC | BPF_TXA:
        a = x;
        break;
      case BPF_RET | BPF_K:
        return f.k;
      case BPF_RET | BPF_A:
        return a;
      case BPF_JMP | BPF_JA:
        pc += f.k;
        break;
      case BPF_ALU | BPF_DIV | BPF_X:
        if (x == 0) return 0;  // a division by zero ends the program
        a /= x;
        break;
      default:
        if (BPF_CLASS(f.code) == BPF_ALU)
          a = alu(BPF_OP(f.code), a, operand);
        else
          pc += holds(BPF_OP(f.code), a, operand) ? f.jt : f.jf;
    }
  }
  return 0;
}

}  // namespace starry
