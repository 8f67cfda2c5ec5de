// The way in for rewritten `syscall` instructions (tracer/trampoline.h): a jump in user mode, without a host
// signal frame. rcx holds the continuation, every other register is the guest's. The guest's stack is not
// touched. r11 is free as well: `syscall` overwrites it. Offsets: Area (stub.h), Channel and GuestRegs (checked in
// fast.cc).
//
// The carriers of one process find their channel through GS. One that is alone in its process finds it in a
// variable: where the CPU cannot set GS base in user mode, the host pays dearly for each switch to a thread that
// has one (3 us on a virtual machine).
    .set AREA_CHANNEL, 0
    .set AREA_STACK, 8
    .set AREA_KICKED, 16
    .set CONTINUATION, 456
    .set REGS, 512
// All but rcx, r11, rsp, rip and flags, from the channel in rcx.
    .macro load_regs
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
    .endm
    .data
    .balign 64
    .globl stub_fast_target, stub_lone_channel, stub_lone_stack
stub_fast_target:
    .quad 0
stub_lone_channel:
    .quad 0
stub_lone_stack:
    .quad 0
    .text
    .globl stub_fast_entry, stub_fast_lone, stub_fast_shared
    .balign 64
stub_fast_entry:
    jmp *stub_fast_target(%rip)
stub_fast_lone:
    mov stub_lone_channel(%rip), %r11
    mov %rcx, CONTINUATION(%r11)
    mov %rsp, REGS+120(%r11)
    mov stub_lone_stack(%rip), %rsp
    jmp 1f
stub_fast_shared:
    mov %gs:AREA_CHANNEL, %r11
    mov %rcx, CONTINUATION(%r11)
    mov %rsp, REGS+120(%r11)
    mov %gs:AREA_STACK, %rsp
1:  pushfq
    mov %r11, %rcx
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
    mov CONTINUATION(%rcx), %rax
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
    cmpl $0, AREA_KICKED(%rsp)
    jne 1f
    load_regs
    pushq REGS+136(%rcx)
    popfq
    mov REGS+24(%rcx), %r11
    mov REGS+120(%rcx), %rsp
    jmp *CONTINUATION(%rcx)

// [[noreturn]] void stub_fast_leave(Channel*, Area*): the same with every register, rcx too.
    .globl stub_fast_leave
stub_fast_leave:
    mov %rdi, %rcx
    mov %rsi, %rsp
    cmpl $0, AREA_KICKED(%rsp)
    jne 1f
    mov %ss, %eax
    push %rax
    pushq REGS+120(%rcx)
    pushq REGS+136(%rcx)
    mov %cs, %eax
    push %rax
    pushq CONTINUATION(%rcx)
    mov REGS+24(%rcx), %r11
    load_regs
    mov REGS+112(%rcx), %rcx
    iretq
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
