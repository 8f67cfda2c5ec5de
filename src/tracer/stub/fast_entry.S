// The way in for rewritten `syscall` instructions (tracer/trampoline.h): a jump in user mode, without a host
// signal frame. rcx holds the continuation, every other register is the guest's. The guest's stack is not
// touched. Offsets: Area (stub.h), Channel::regs and GuestRegs (checked in fast.cc).
    .set AREA_CHANNEL, 0
    .set AREA_CONTINUATION, 8
    .set AREA_GUEST_SP, 16
    .set AREA_STACK, 24
    .set AREA_KICKED, 32
    .set REGS, 384
    .text
    .globl stub_fast_entry
    .balign 64
stub_fast_entry:
    mov %rcx, %gs:AREA_CONTINUATION
    mov %rsp, %gs:AREA_GUEST_SP
    mov %gs:AREA_STACK, %rsp
    pushfq
    mov %gs:AREA_CHANNEL, %rcx
    pop %r11
    cld
    mov %r8, REGS+0(%rcx)
    mov %r9, REGS+8(%rcx)
    mov %r10, REGS+16(%rcx)
    mov %r11, REGS+24(%rcx)
    mov %r12, REGS+32(%rcx)
    mov %r13, REGS+40(%rcx)
    mov %r14, REGS+48(%rcx)
    mov %r15, REGS+56(%rcx)
    mov %rdi, REGS+64(%rcx)
    mov %rsi, REGS+72(%rcx)
    mov %rbp, REGS+80(%rcx)
    mov %rbx, REGS+88(%rcx)
    mov %rdx, REGS+96(%rcx)
    mov %rax, REGS+104(%rcx)
    mov %r11, REGS+136(%rcx)
    mov %gs:AREA_GUEST_SP, %rax
    mov %rax, REGS+120(%rcx)
    mov %gs:AREA_CONTINUATION, %rax
    mov -8(%rax), %rax
    mov %rax, REGS+112(%rcx)
    mov %rax, REGS+128(%rcx)
    mov %rcx, %rdi
    xor %ebp, %ebp
    call stub_fast_call
    mov %rax, %rcx

// From here on the channel holds the complete state of the guest after the call: whoever is interrupted
// before the end may take it from there.
    .globl stub_fast_exit, stub_fast_exit_end
stub_fast_exit:
    cmpl $0, %gs:AREA_KICKED
    jne 1f
    mov REGS+0(%rcx), %r8
    mov REGS+8(%rcx), %r9
    mov REGS+16(%rcx), %r10
    mov REGS+32(%rcx), %r12
    mov REGS+40(%rcx), %r13
    mov REGS+48(%rcx), %r14
    mov REGS+56(%rcx), %r15
    mov REGS+64(%rcx), %rdi
    mov REGS+72(%rcx), %rsi
    mov REGS+80(%rcx), %rbp
    mov REGS+88(%rcx), %rbx
    mov REGS+96(%rcx), %rdx
    mov REGS+104(%rcx), %rax
    pushq REGS+136(%rcx)
    popfq
    mov REGS+24(%rcx), %r11
    mov REGS+120(%rcx), %rsp
    jmp *%gs:AREA_CONTINUATION
stub_fast_exit_end:
1:  call stub_fast_kicked
    hlt

// Makes a genuine host signal frame (SIGSYS: the gate is elsewhere) for what needs one. Vector and FP state
// in it are the guest's, as nothing in the stub touches them; the general registers are in the channel.
    .globl stub_gate_trap, stub_gate_trap_return
stub_gate_trap:
    mov $-1, %eax
    syscall
stub_gate_trap_return:
    hlt
    .section .note.GNU-stack,"",@progbits
