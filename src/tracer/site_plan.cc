#include "tracer/site_plan.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <cstring>

namespace starry {

using namespace chan;

namespace {

constexpr uint64_t MOV_SIZE = 5, JMP_SIZE = 5;
constexpr uint8_t MOV_EAX = 0xb8, JMP = 0xe9, NOP = 0x90;

// Opcodes that raise #UD in 64-bit mode whatever follows them.
constexpr uint8_t INVALID_OPCODES[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f,
                                       0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xea};

bool fits_jump(uint64_t distance) {
  auto d = static_cast<int64_t>(distance);
  return d == static_cast<int32_t>(d);
}

// A byte that would make the 0xb8 behind it part of its own instruction: prefixes, and opcodes with a ModRM.
bool takes_next_byte(uint8_t b) {
  constexpr uint8_t PREFIXES[] = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
  if (b >= 0x40 && b <= 0x4f) return true;
  if (b >= 0x80 && b <= 0x8f) return true;
  return std::find(std::begin(PREFIXES), std::end(PREFIXES), b) != std::end(PREFIXES);
}

bool movable(std::span<const uint8_t> code, uint8_t* size) {
  ZydisDecoder decoder;
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
  if (ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
      ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &insn, ops)))
    return false;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVSXD:
    case ZYDIS_MNEMONIC_NEG:
      break;
    default:
      return false;
  }
  if (insn.length < MOVED_MIN || insn.length > MOVED_MAX) return false;
  for (int i = 0; i < insn.operand_count; ++i) {
    const ZydisDecodedOperand& op = ops[i];
    if (op.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) continue;
    if (op.type != ZYDIS_OPERAND_TYPE_REGISTER) return false;
    ZydisRegisterClass c = ZydisRegisterGetClass(op.reg.value);
    if (op.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) continue;  // the flags
    if (c != ZYDIS_REGCLASS_GPR64 && c != ZYDIS_REGCLASS_GPR32) return false;
  }
  *size = insn.length;
  return true;
}

void put32(uint8_t* at, uint64_t v) {
  auto n = static_cast<uint32_t>(v);
  std::memcpy(at, &n, sizeof n);
}

}  // namespace

SitePlan plan_site(std::span<const uint8_t> code, uint64_t number) {
  SitePlan plan;
  if (code.size() < SITE_BEFORE_BYTES + SYSCALL_SIZE) return plan;
  const uint8_t* at = code.data() + SITE_BEFORE_BYTES;
  if (at[0] != 0x0f || at[1] != 0x05) return plan;
  uint32_t n;
  std::memcpy(&n, at - MOV_SIZE + 1, sizeof n);
  if (at[-static_cast<int>(MOV_SIZE)] == MOV_EAX && n == number && !takes_next_byte(code[0])) {
    plan.kind = SITE_BEFORE;
    plan.number = n;
    return plan;
  }
  auto behind = code.subspan(SITE_BEFORE_BYTES + SYSCALL_SIZE);
  if (movable(behind, &plan.moved_size)) {
    plan.kind = SITE_AFTER;
    std::copy_n(behind.begin(), plan.moved_size, plan.moved);
  }
  return plan;
}

bool trampoline_reaches(SiteKind kind, uint64_t site, uint64_t slot) {
  SiteJump j = site_jump(kind, site, slot);
  uint64_t target = slot + (kind == SITE_BEFORE ? T_BEFORE : T_AFTER);
  if (!fits_jump(target - (j.at + JMP_SIZE)) || !fits_jump(site - slot)) return false;
  return kind == SITE_BEFORE || std::find(std::begin(INVALID_OPCODES), std::end(INVALID_OPCODES),
                                          j.code[2]) != std::end(INVALID_OPCODES);
}

SiteJump site_jump(SiteKind kind, uint64_t site, uint64_t slot) {
  SiteJump j;
  j.at = kind == SITE_BEFORE ? site - MOV_SIZE : site;
  j.code[0] = JMP;
  put32(j.code + 1, slot + (kind == SITE_BEFORE ? T_BEFORE : T_AFTER) - (j.at + JMP_SIZE));
  return j;
}

void build_trampoline(const SitePlan& plan, uint64_t site, uint64_t slot, uint64_t entry,
                      uint8_t out[TRAMPOLINE_SIZE]) {
  const uint64_t after = site + SYSCALL_SIZE;
  std::memset(out, 0xcc, TRAMPOLINE_SIZE);
  if (plan.kind == SITE_BEFORE) {
    out[T_BEFORE] = MOV_EAX;
    put32(out + T_BEFORE + 1, plan.number);
  } else {
    std::memset(out + T_BEFORE, NOP, T_AFTER - T_BEFORE);
  }
  constexpr uint8_t LEA_RCX[] = {0x48, 0x8d, 0x0d};  // lea disp32(%rip),%rcx
  constexpr uint8_t JMP_MEM[] = {0xff, 0x25};        // jmp *disp32(%rip)
  std::memcpy(out + T_AFTER, LEA_RCX, sizeof LEA_RCX);
  put32(out + T_AFTER + 3, T_CONTINUE - T_JUMP);
  std::memcpy(out + T_JUMP, JMP_MEM, sizeof JMP_MEM);
  put32(out + T_JUMP + 2, T_ENTRY - (T_JUMP + 6));
  std::memcpy(out + T_RETURN, &after, sizeof after);
  std::memcpy(out + T_CONTINUE, LEA_RCX, sizeof LEA_RCX);
  put32(out + T_CONTINUE + 3, after - (slot + T_MOVED));
  std::memcpy(out + T_MOVED, plan.moved, plan.moved_size);
  const uint64_t jump = T_MOVED + plan.moved_size;
  out[jump] = JMP;
  put32(out + jump + 1, after + plan.moved_size - (slot + jump + JMP_SIZE));
  out[T_KIND] = plan.kind;
  out[T_LENGTH] = plan.moved_size;
  std::memcpy(out + T_ENTRY, &entry, sizeof entry);
}

}  // namespace starry
