// Host system calls and guarded memory accesses of the stub. The seccomp filter allows host calls only
// from between stub_gate_start and stub_gate_end.
    .text
    .globl stub_gate_start, stub_gate_end
    .balign 4096
stub_gate_start:

// long stub_syscall(long nr, a0, a1, a2, a3, a4, a5)
    .globl stub_syscall
    .type stub_syscall, @function
stub_syscall:
    mov %rdi, %rax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    mov 8(%rsp), %r9
    syscall
    ret

// Loads the host signal frame whose ucontext is at rdi and goes to where it says.
    .globl stub_sigreturn
stub_sigreturn:
    mov %rdi, %rsp
    .globl stub_restorer
stub_restorer:
    mov $15, %eax
    syscall
    hlt

// long stub_clone(flags, ucontext of the child, ptid, ctid, tls): the child starts on its own ucontext,
// which lies at the top of its signal stack, in stub_child(ucontext).
    .globl stub_clone
stub_clone:
    mov %rcx, %r10
    mov $56, %eax
    syscall
    test %rax, %rax
    jz 1f
    ret
1:  mov %rsp, %rdi
    and $-16, %rsp
    xor %ebp, %ebp
    call stub_child
    hlt
stub_gate_end:

// Guarded accesses: a fault between stub_guard_start and stub_guard_end continues at stub_guard_fixup,
// which returns -1.
    .globl stub_guard_start, stub_guard_end, stub_guard_fixup
    .balign 64
stub_guard_start:
// long stub_copy(void* dst, const void* src, size_t n): 0, or -1 after a fault
    .globl stub_copy
stub_copy:
    mov %rdx, %rcx
    rep movsb
    xor %eax, %eax
    ret
// long stub_copy_string(char* dst, const char* src, size_t max): bytes copied including the NUL, `max`
// if there is none, or -1 after a fault
    .globl stub_copy_string
stub_copy_string:
    xor %eax, %eax
1:  cmp %rdx, %rax
    jae 2f
    movzbl (%rsi,%rax), %ecx
    mov %cl, (%rdi,%rax)
    inc %rax
    test %cl, %cl
    jnz 1b
2:  ret
// long stub_cmpxchg(uint32_t* p, uint32_t expected, uint32_t desired): the old value, or -1
    .globl stub_cmpxchg
stub_cmpxchg:
    mov %esi, %eax
    lock cmpxchg %edx, (%rdi)
    mov %eax, %eax
    ret
// long stub_save_fp(void* to, uint64_t features): XSAVE as it is in a signal frame; 0, or -1 after a fault
    .globl stub_save_fp
stub_save_fp:
    xor %ecx, %ecx
    mov %rcx, 512(%rdi)
    mov %rcx, 520(%rdi)
    mov %rcx, 528(%rdi)
    mov %rcx, 536(%rdi)
    mov %rcx, 544(%rdi)
    mov %rcx, 552(%rdi)
    mov %rcx, 560(%rdi)
    mov %rcx, 568(%rdi)
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    xsave64 (%rdi)
    orl $3, 512(%rdi)
    xor %eax, %eax
    ret
// long stub_load_fp(const void* from, uint64_t features): 0, or -1 after a fault
    .globl stub_load_fp
stub_load_fp:
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    xrstor64 (%rdi)
    xor %eax, %eax
    ret
stub_guard_end:
stub_guard_fixup:
    mov $-1, %rax
    ret

    .globl _start
_start:
    mov %rsp, %rdi
    xor %ebp, %ebp
    and $-16, %rsp
    call stub_main
    hlt

// void stub_call_on(void* stack_top, void (*fn)())
    .globl stub_call_on
stub_call_on:
    mov %rdi, %rsp
    xor %ebp, %ebp
    call *%rsi
    hlt
    .section .note.GNU-stack,"",@progbits
