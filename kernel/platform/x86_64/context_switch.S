// SPDX-License-Identifier: MIT OR Apache-2.0
    .section .text.context_switch, "ax", @progbits

// void x86_switch_stack(void** from, void* to): what the calling convention lets a function change, the caller has saved;
// kernel code uses no vector registers and runs with fixed flags.
    .globl x86_switch_stack
    .type x86_switch_stack, @function
x86_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

// A new thread's first return: r14 = entry, r15 = argument, rsp 16-byte aligned minus 8.
    .globl x86_start_kernel_thread
    .type x86_start_kernel_thread, @function
x86_start_kernel_thread:
    movq %r15, %rdi
    pushq $0
    call *%r14
    ud2

    .section .note.GNU-stack, "", @progbits
