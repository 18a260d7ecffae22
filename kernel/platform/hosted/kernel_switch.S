# SPDX-License-Identifier: MIT OR Apache-2.0

# void kpio_switch_stack(void** save, void* load)
# System V ABI: rbx, rbp, r12..r15 survive a call. The kernel does no floating point, so MXCSR and the x87 control word
# never differ between kernel threads.
        .text
        .globl  kpio_switch_stack
        .type   kpio_switch_stack, @function
kpio_switch_stack:
        .cfi_startproc
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        ret
        .cfi_endproc
        .size   kpio_switch_stack, . - kpio_switch_stack

# First code of a kernel thread: rbx is the entry, r12 its argument. Ends the chain of frames for debuggers.
        .globl  kpio_kernel_thread_start
        .type   kpio_kernel_thread_start, @function
kpio_kernel_thread_start:
        .cfi_startproc
        .cfi_undefined rip
        xorl    %ebp, %ebp
        movq    %r12, %rdi
        callq   *%rbx
        ud2
        .cfi_endproc
        .size   kpio_kernel_thread_start, . - kpio_kernel_thread_start
        .section .note.GNU-stack, "", @progbits
