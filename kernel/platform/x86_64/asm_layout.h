// SPDX-License-Identifier: MIT OR Apache-2.0
// Numbers that assembly and C++ share; layout.h and cpu_data.h assert that they agree with the C++ types.
#pragma once

#define KPIO_IMAGE_BASE 0xffffffff80000000  // virtual minus physical address of the kernel image

#define KPIO_SELECTOR_KERNEL_CODE 0x10
#define KPIO_SELECTOR_KERNEL_DATA 0x18
#define KPIO_SELECTOR_USER_DATA 0x2b  // as on Linux: programs print and compare them
#define KPIO_SELECTOR_USER_CODE 0x33

#define KPIO_CPU_SELF 0
#define KPIO_CPU_KERNEL_RSP 8
#define KPIO_CPU_USER_REGISTERS 16
#define KPIO_CPU_SCRATCH 24
#define KPIO_CPU_TRAP_VECTOR 32
#define KPIO_CPU_TRAP_ERROR 40

#define KPIO_REG_R15 0
#define KPIO_REG_R14 8
#define KPIO_REG_R13 16
#define KPIO_REG_R12 24
#define KPIO_REG_RBP 32
#define KPIO_REG_RBX 40
#define KPIO_REG_R11 48
#define KPIO_REG_R10 56
#define KPIO_REG_R9 64
#define KPIO_REG_R8 72
#define KPIO_REG_RAX 80
#define KPIO_REG_RCX 88
#define KPIO_REG_RDX 96
#define KPIO_REG_RSI 104
#define KPIO_REG_RDI 112
#define KPIO_REG_RIP 120
#define KPIO_REG_RFLAGS 128
#define KPIO_REG_RSP 136

#define KPIO_VECTOR_SYSCALL 0x100  // not a CPU vector: the SYSCALL instruction
