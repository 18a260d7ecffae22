# SPDX-License-Identifier: MIT OR Apache-2.0

# long kpio_vcpu_ioctl(int descriptor, unsigned long request, void* argument, const uint32_t* stop)
# An ioctl that is not made when *stop is not 0. A signal handler that interrupts [begin, end) goes on at
# kpio_vcpu_ioctl_stopped, so that nothing can happen between the look at *stop and the system call. At `end` the
# call has been made and its result stands.
        .text
        .globl  kpio_vcpu_ioctl, kpio_vcpu_ioctl_begin, kpio_vcpu_ioctl_end, kpio_vcpu_ioctl_stopped
        .type   kpio_vcpu_ioctl, @function
kpio_vcpu_ioctl:
        .cfi_startproc
        mov     $16, %eax
kpio_vcpu_ioctl_begin:
        cmpl    $0, (%rcx)
        jne     kpio_vcpu_ioctl_stopped
        syscall
kpio_vcpu_ioctl_end:
        ret
kpio_vcpu_ioctl_stopped:
        mov     $-4, %rax
        ret
        .cfi_endproc
        .size   kpio_vcpu_ioctl, . - kpio_vcpu_ioctl
        .section .note.GNU-stack, "", @progbits
