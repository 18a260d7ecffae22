// SPDX-License-Identifier: MIT OR Apache-2.0
// Pieces of user code. Each is copied to 0x400000; data is at 0x600000, the stack ends at 0x701000.
    .section .rodata.user_code, "a", @progbits
    .code64

#define DATA 0x600000

.macro BEGIN name
    .globl user_\name\()_begin
user_\name\()_begin:
.endm
.macro END name
    .globl user_\name\()_end
user_\name\()_end:
.endm

// A call with six arguments, then one that returns what the registers hold.
BEGIN syscalls
    movl $1001, %eax
    movl $1, %edi
    movl $2, %esi
    movl $3, %edx
    movl $4, %r10d
    movl $5, %r8d
    movl $6, %r9d
    movl $0x11, %ebx
    movl $0x12, %ebp
    movl $0x13, %r12d
    movl $0x14, %r13d
    movl $0x15, %r14d
    movl $0x16, %r15d
    syscall
    movq %rax, DATA
    movq %rbx, DATA + 8
    movq %rbp, DATA + 16
    movq %r12, DATA + 24
    movq %r15, DATA + 32
    movq %rdi, DATA + 40
    movq %r9, DATA + 48
    movq %rsp, DATA + 56
    movq %rcx, DATA + 64
    leaq 1f(%rip), %rdi
1:  movl $1002, %eax
    syscall
    jmp 1b
END syscalls

BEGIN loop
1:  syscall
    jmp 1b
END loop

BEGIN spin
1:  incq DATA
    jmp 1b
END spin

BEGIN read_data
    movq DATA + 0x10000, %rax
    syscall
END read_data

BEGIN write_data
    movl $42, %eax
    movq %rax, DATA + 0x10008
    syscall
END write_data

BEGIN read_code
    movq 0x400000, %rax
    movq %rax, 0x400000
    syscall
END read_code

BEGIN call_data
    movl $DATA, %eax
    call *%rax
    syscall
END call_data

BEGIN read_kernel
    movq $0xffffffff80200000, %rax
    movq (%rax), %rax
    syscall
END read_kernel

BEGIN read_far
    movabsq $0x0000800000000000, %rax
    movq (%rax), %rax
    syscall
END read_far

BEGIN push_far
    movabsq $0x0000800000000000, %rsp
    pushq %rax
END push_far

BEGIN jump_rdi
    jmp *%rdi
END jump_rdi

BEGIN divide
    xorl %edx, %edx
    xorl %ecx, %ecx
    movl $1, %eax
    divl %ecx
END divide

BEGIN invalid
    ud2
END invalid

BEGIN breakpoint
    int3
    syscall
END breakpoint

BEGIN overflow
    int $4
END overflow

BEGIN legacy_syscall
    int $0x80
    syscall
END legacy_syscall

BEGIN other_interrupt
    int $0x40
END other_interrupt

BEGIN halt
    hlt
END halt

BEGIN clear_interrupts
    cli
END clear_interrupts

BEGIN port
    outb %al, $0x80
END port

BEGIN single_step_trap
    .byte 0xf1
    syscall
END single_step_trap

BEGIN far_return  // to a 32-bit code segment that must not exist
    pushq $0x23
    leaq 1f(%rip), %rax
    pushq %rax
    lretq
1:  nop
END far_return

BEGIN sysenter
    sysenter
END sysenter

BEGIN store_gdt
    sgdt DATA
    syscall
END store_gdt

BEGIN unaligned
    pushfq
    orl $0x40000, (%rsp)
    popfq
    movq DATA + 1, %rax
    syscall
END unaligned

BEGIN sse_divide
    movl $0x1d80, DATA  // ZM clear
    ldmxcsr DATA
    movl $1, %eax
    cvtsi2sd %eax, %xmm0
    xorps %xmm1, %xmm1
    divsd %xmm1, %xmm0
    syscall
END sse_divide

BEGIN x87_divide
    fninit
    movw $0x37b, DATA  // ZM clear
    fldcw DATA
    fld1
    fldz
    fdivrp
    fwait
    syscall
END x87_divide

BEGIN flags
    pushfq
    popq DATA
    syscall
END flags

// Sets TF, then runs into a SYSCALL.
BEGIN trap_flag
    pushfq
    orl $0x100, (%rsp)
    popfq
    nop
    syscall
    nop
    nop
END trap_flag

BEGIN debug_register
    movq %rax, %dr7
END debug_register

BEGIN bases
1:  movq %fs:0, %rax
    movq %rax, DATA + 0x100
    movq %gs:8, %rax
    movq %rax, DATA + 0x108
    syscall
    jmp 1b
END bases

BEGIN write_bases
    wrfsbase %rdi
    wrgsbase %rsi
    syscall
    rdfsbase %rdi
    rdgsbase %rsi
    syscall
END write_bases

BEGIN load_selectors
    movl $0x2b, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    syscall
    xorl %edi, %edi
    movw %gs, %di
    syscall
END load_selectors

BEGIN read_selectors
    xorl %edi, %edi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r10d, %r10d
    movw %ds, %di
    movw %es, %si
    movw %fs, %dx
    movw %gs, %r10w
    syscall
END read_selectors

// Fills vector registers from rdi, calls, and stores them at DATA + 0x200; again and again.
BEGIN sse_state
    movq %rdi, %xmm0
    movq %rdi, %xmm15
    fninit
    fld1
1:  syscall
    movups %xmm0, DATA + 0x200
    movups %xmm15, DATA + 0x210
    fstl DATA + 0x220
    jmp 1b
END sse_state

BEGIN avx_state
    movq %rdi, %xmm0
    vpbroadcastq %xmm0, %ymm7
1:  syscall
    vmovdqu %ymm7, DATA + 0x200
    jmp 1b
END avx_state

    .section .note.GNU-stack, "", @progbits
