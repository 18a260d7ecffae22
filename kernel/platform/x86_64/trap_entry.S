// SPDX-License-Identifier: MIT OR Apache-2.0
// Ways into the kernel and out to user mode.
//
// GS: the kernel's GS base points to CpuData; while user code runs it waits in MSR_KERNEL_GS_BASE. The CS on the stack
// tells whether SWAPGS is due, except in the few instructions where kernel code runs with the user's GS. There only NMI,
// #DB, #DF and #MC can arrive; they have stacks of their own (IST), and under each such stack lies the pointer to CpuData.
//
// x86_enter_user is a call that returns when user code traps: it leaves the callee-saved registers on the kernel stack,
// and every entry from user mode ends by popping them.
#include "platform/x86_64/asm_layout.h"

    .section .text.trap_entry, "ax", @progbits
    .code64

// All registers but RAX, from a trap or SYSCALL, into the Registers at \base.
.macro STORE_USER_REGISTERS base
    movq %r15, KPIO_REG_R15(\base)
    movq %r14, KPIO_REG_R14(\base)
    movq %r13, KPIO_REG_R13(\base)
    movq %r12, KPIO_REG_R12(\base)
    movq %rbp, KPIO_REG_RBP(\base)
    movq %rbx, KPIO_REG_RBX(\base)
    movq %r11, KPIO_REG_R11(\base)
    movq %r10, KPIO_REG_R10(\base)
    movq %r9, KPIO_REG_R9(\base)
    movq %r8, KPIO_REG_R8(\base)
    movq %rcx, KPIO_REG_RCX(\base)
    movq %rdx, KPIO_REG_RDX(\base)
    movq %rsi, KPIO_REG_RSI(\base)
    movq %rdi, KPIO_REG_RDI(\base)
.endm

// The user's values do not linger where speculation of kernel code could use them; callee-saved ones are popped anyway.
.macro RETURN_TO_KERNEL
    movq %gs:KPIO_CPU_KERNEL_RSP, %rsp
    xorl %eax, %eax
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.endm

// void x86_enter_user(Registers* registers, bool by_sysret)
    .globl x86_enter_user
    .type x86_enter_user, @function
x86_enter_user:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %gs:KPIO_CPU_KERNEL_RSP
    movq %rdi, %gs:KPIO_CPU_USER_REGISTERS
    testl %esi, %esi
    jnz 1f

    pushq $KPIO_SELECTOR_USER_DATA
    pushq KPIO_REG_RSP(%rdi)
    pushq KPIO_REG_RFLAGS(%rdi)
    pushq $KPIO_SELECTOR_USER_CODE
    pushq KPIO_REG_RIP(%rdi)
    movq KPIO_REG_R11(%rdi), %r11
    movq KPIO_REG_RCX(%rdi), %rcx
    movq KPIO_REG_R15(%rdi), %r15
    movq KPIO_REG_R14(%rdi), %r14
    movq KPIO_REG_R13(%rdi), %r13
    movq KPIO_REG_R12(%rdi), %r12
    movq KPIO_REG_RBP(%rdi), %rbp
    movq KPIO_REG_RBX(%rdi), %rbx
    movq KPIO_REG_R10(%rdi), %r10
    movq KPIO_REG_R9(%rdi), %r9
    movq KPIO_REG_R8(%rdi), %r8
    movq KPIO_REG_RAX(%rdi), %rax
    movq KPIO_REG_RDX(%rdi), %rdx
    movq KPIO_REG_RSI(%rdi), %rsi
    movq KPIO_REG_RDI(%rdi), %rdi
    swapgs
    iretq

1:  movq KPIO_REG_RFLAGS(%rdi), %r11
    movq KPIO_REG_RIP(%rdi), %rcx
    movq KPIO_REG_R15(%rdi), %r15
    movq KPIO_REG_R14(%rdi), %r14
    movq KPIO_REG_R13(%rdi), %r13
    movq KPIO_REG_R12(%rdi), %r12
    movq KPIO_REG_RBP(%rdi), %rbp
    movq KPIO_REG_RBX(%rdi), %rbx
    movq KPIO_REG_R10(%rdi), %r10
    movq KPIO_REG_R9(%rdi), %r9
    movq KPIO_REG_R8(%rdi), %r8
    movq KPIO_REG_RAX(%rdi), %rax
    movq KPIO_REG_RDX(%rdi), %rdx
    movq KPIO_REG_RSI(%rdi), %rsi
    movq KPIO_REG_RSP(%rdi), %rsp
    movq KPIO_REG_RDI(%rdi), %rdi
    swapgs
    sysretq

// SYSCALL: RCX = user RIP, R11 = user RFLAGS, interrupts off by MSR_SYSCALL_MASK, RSP still the user's.
    .globl x86_syscall_entry
    .type x86_syscall_entry, @function
x86_syscall_entry:
    swapgs
    movq %rsp, %gs:KPIO_CPU_SCRATCH
    movq %gs:KPIO_CPU_USER_REGISTERS, %rsp
    STORE_USER_REGISTERS %rsp
    movq %rax, KPIO_REG_RAX(%rsp)
    movq %rcx, KPIO_REG_RIP(%rsp)
    movq %r11, KPIO_REG_RFLAGS(%rsp)
    movq %gs:KPIO_CPU_SCRATCH, %rcx
    movq %rcx, KPIO_REG_RSP(%rsp)
    movq $KPIO_VECTOR_SYSCALL, %gs:KPIO_CPU_TRAP_VECTOR
    RETURN_TO_KERNEL

// SYSCALL from compatibility mode, which the GDT makes unreachable.
    .globl x86_compat_syscall_entry
    .type x86_compat_syscall_entry, @function
x86_compat_syscall_entry:
    ud2

// Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS.
trap_common:
    testb $3, 24(%rsp)
    jz trap_from_kernel
trap_from_user:
    swapgs
    movq %rax, %gs:KPIO_CPU_SCRATCH
    movq %gs:KPIO_CPU_USER_REGISTERS, %rax
    STORE_USER_REGISTERS %rax
    movq %gs:KPIO_CPU_SCRATCH, %rcx
    movq %rcx, KPIO_REG_RAX(%rax)
    popq %gs:KPIO_CPU_TRAP_VECTOR
    popq %gs:KPIO_CPU_TRAP_ERROR
    popq KPIO_REG_RIP(%rax)
    addq $8, %rsp
    popq KPIO_REG_RFLAGS(%rax)
    popq KPIO_REG_RSP(%rax)
    // Gates leave DF, AC and arithmetic flags as the user set them.
    movq %gs:KPIO_CPU_KERNEL_RSP, %rsp
    pushq $2
    popfq
    RETURN_TO_KERNEL

trap_on_own_stack:
    testb $3, 24(%rsp)
    jnz trap_from_user
    // GS may be the user's. Below the seven words lies the CpuData pointer. The interrupted code never goes on, so its
    // GS base need not be kept.
    pushq %rax
    pushq %rcx
    pushq %rdx
    movl $0xc0000101, %ecx
    movl 80(%rsp), %eax
    movl 84(%rsp), %edx
    wrmsr
    popq %rdx
    popq %rcx
    popq %rax

trap_from_kernel:
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    cld
    call x86_trap_from_kernel
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    addq $16, %rsp
    iretq

    .section .text.trap_stubs, "ax", @progbits
// One stub of 16 bytes for each vector.
    .balign 16
    .globl x86_trap_stubs
x86_trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16, 0xcc
    // Vectors with an error code: SDM vol. 3A, table 6-1.
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    .if vector == 1 || vector == 2 || vector == 8 || vector == 18
    jmp trap_on_own_stack
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

    .section .note.GNU-stack, "", @progbits
