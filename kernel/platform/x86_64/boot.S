// SPDX-License-Identifier: MIT OR Apache-2.0
// The first instructions. A PVH loader (Xen: docs/misc/pvh.pandoc) enters kpio_entry32 in 32-bit protected mode with flat
// segments, paging off and EBX = physical address of hvm_start_info. We map the first 4 GiB at 0 and in the direct map and
// the image at its link address, all writable and executable, and go to long mode; kernel_map.cc makes it strict.
#include "platform/x86_64/asm_layout.h"

#define PHYSICAL(symbol) ((symbol) - KPIO_IMAGE_BASE)
#define PRESENT_WRITE 0x3
#define PRESENT_WRITE_LARGE 0x83

#define CR0_VALUE 0x80050033  // PG AM WP NE ET MP PE
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_SCE_LME_NXE 0x901

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18  // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long kpio_entry_physical

    .section .text.boot, "ax", @progbits
    .code32
    .globl kpio_entry32
    .type kpio_entry32, @function
kpio_entry32:
    cli
    cld
    movl %ebx, %ebp

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb unsupported_cpu
    movl $0x80000001, %eax
    cpuid
    andl $0x20100000, %edx  // long mode and NX
    cmpl $0x20100000, %edx
    jne unsupported_cpu

    // Four page directories of 2 MiB pages cover 4 GiB.
    movl $PHYSICAL(kpio_direct_directories), %edi
    movl $PRESENT_WRITE_LARGE, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b

    movl $PHYSICAL(kpio_direct_pointers), %edi
    movl $(PHYSICAL(kpio_direct_directories) + PRESENT_WRITE), %eax
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 2b

    // The image: the first 16 MiB in the last but one GiB.
    movl $PHYSICAL(kpio_image_directory), %edi
    movl $PRESENT_WRITE_LARGE, %eax
    movl $8, %ecx
3:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 3b

    movl $(PHYSICAL(kpio_image_directory) + PRESENT_WRITE), PHYSICAL(kpio_image_pointers) + 510 * 8
    movl $(PHYSICAL(kpio_direct_pointers) + PRESENT_WRITE), PHYSICAL(kpio_root_table)
    movl $(PHYSICAL(kpio_direct_pointers) + PRESENT_WRITE), PHYSICAL(kpio_root_table) + 256 * 8
    movl $(PHYSICAL(kpio_image_pointers) + PRESENT_WRITE), PHYSICAL(kpio_root_table) + 511 * 8

    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $PHYSICAL(kpio_root_table), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl $EFER_SCE_LME_NXE, %eax
    wrmsr
    movl $CR0_VALUE, %eax
    movl %eax, %cr0

    lgdt PHYSICAL(boot_gdt_pointer)
    ljmp $KPIO_SELECTOR_KERNEL_CODE, $PHYSICAL(entry64)

unsupported_cpu:
    movl $PHYSICAL(unsupported_message), %esi
4:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x20, %al
    jz 4b
    lodsb
    testb %al, %al
    jz 5f
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 4b
5:  hlt
    jmp 5b

    .code64
entry64:
    movabsq $entry_high, %rax
    jmp *%rax
entry_high:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movq $kpio_boot_stack_top, %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    pushq $0  // ends a backtrace
    pushq $0
    call kpio_boot
    ud2

    .section .rodata.boot, "a", @progbits
unsupported_message:
    .asciz "kpio: this CPU has no long mode or no NX\r\n"
    .balign 8
boot_gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff  // KPIO_SELECTOR_KERNEL_CODE
    .quad 0x00cf93000000ffff  // KPIO_SELECTOR_KERNEL_DATA
boot_gdt_pointer:
    .word 4 * 8 - 1
    .long PHYSICAL(boot_gdt)

    .section .bss.page_tables, "aw", @nobits
    .balign 4096
    .globl kpio_root_table, kpio_direct_pointers, kpio_direct_directories, kpio_image_pointers, kpio_image_directory
    .globl kpio_image_tables
kpio_root_table: .skip 4096
kpio_direct_pointers: .skip 4096
kpio_direct_directories: .skip 4 * 4096
kpio_image_pointers: .skip 4096
kpio_image_directory: .skip 4096
kpio_image_tables: .skip 8 * 4096

    // Each stack has a page below it that kernel_map.cc leaves unmapped.
    .section .bss.stacks, "aw", @nobits
    .balign 4096
    .globl kpio_boot_stack_guard, kpio_boot_stack_top, kpio_fatal_stacks
kpio_boot_stack_guard: .skip 4096
    .skip 32768
kpio_boot_stack_top:
kpio_fatal_stacks: .skip 4 * (4096 + 8192)

    .section .note.GNU-stack, "", @progbits
