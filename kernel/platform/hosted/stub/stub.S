# SPDX-License-Identifier: MIT OR Apache-2.0

# The one page of code that a guest process contains besides its own. No code here has a stack or writes memory: guest
# threads share all memory with it, so everything is in registers or in pages that the stub can only read. A guest may
# jump to any instruction here with any registers; what its filter lets through at these addresses is harmless to it
# (seccomp_filter.cc says why, call by call).
#include "platform/hosted/stub/layout.h"

#define NR_CLOSE 3
#define NR_MUNMAP 11
#define NR_RT_SIGRETURN 15
#define NR_SENDMSG 46
#define NR_CLONE 56
#define NR_EXIT 60
#define NR_SIGALTSTACK 131
#define NR_FUTEX 202
#define NR_EXIT_GROUP 231
#define NR_SECCOMP 317
#define NR_CLOSE_RANGE 436

#define SECCOMP_SET_MODE_FILTER 1
#define MSG_NOSIGNAL 0x4000
# VM, FS, SIGHAND, THREAD, SYSVSEM; not FILES
#define CLONE_FLAGS 0x50b00

# Puts the label at its agreed offset, right behind the SYSCALL.
.macro SYSCALL_ENDING_AT offset
        .org    \offset - 2, 0x90
        syscall
.endm

        .section .stub_page, "ax"
        .globl  kpio_stub_page, kpio_stub_leader
kpio_stub_page:

# All signals come here, on the thread's alternate stack, which ends where its frame page ends. The sigreturn of this
# handler is the notification: the kernel process reads the frame, changes it, and lets the call go on. When it answers
# with a value instead, that is the thread's slot, whose table entry has its frame's place and new FS and GS bases; they
# are loaded and the kernel process asked again. So a thread is where it should be whatever the guest did to it before.
handler:
        rdfsbase %rdi
        rdgsbase %rsi
        add     $8, %rsp                # as if the handler had returned to its restorer
notify:
        mov     $NR_RT_SIGRETURN, %eax
        SYSCALL_ENDING_AT KPIO_NOTIFY_RETURN
        shl     $KPIO_SLOT_SHIFT, %eax
        movabs  $KPIO_STUB_SLOT_TABLE, %rdx
        add     %rax, %rdx
        mov     KPIO_SLOT_STACK_POINTER(%rdx), %rsp
load_bases:
        mov     KPIO_SLOT_FS_BASE(%rdx), %rdi
        mov     KPIO_SLOT_GS_BASE(%rdx), %rsi
        wrfsbase %rdi
        wrgsbase %rsi
        jmp     notify

# The leader: entered from the zygote's child, all signals blocked. Unmaps everything else, starts the mapper, then makes
# one thread for each change of the command sequence. It has no filter, because a filter with a listener would be
# inherited and exclude the thread's own.
kpio_stub_leader:
        movabs  $KPIO_STUB_CONTROL, %rbx
        xor     %edi, %edi
        movabs  $KPIO_STUB_CODE, %rsi
        mov     $NR_MUNMAP, %eax
        syscall
        test    %rax, %rax
        jnz     leader_failed
        movabs  $KPIO_STUB_END, %rdi
        movabs  $(KPIO_HOST_ADDRESS_END - KPIO_STUB_END), %rsi
        mov     $NR_MUNMAP, %eax
        syscall
        test    %rax, %rax
        jnz     leader_failed
        mov     $CLONE_FLAGS, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        mov     $NR_CLONE, %eax
        syscall
        test    %rax, %rax
        jz      mapper
        js      leader_failed
        xor     %r13d, %r13d
next_command:
        mov     KPIO_CONTROL_SEQUENCE(%rbx), %eax
        cmp     %eax, %r13d
        jne     make_thread
        lea     KPIO_CONTROL_SEQUENCE(%rbx), %rdi
        xor     %esi, %esi              # FUTEX_WAIT, shared
        mov     %r13d, %edx
        xor     %r10d, %r10d
        mov     $NR_FUTEX, %eax
        syscall
        jmp     next_command
make_thread:
        mov     %eax, %r13d
        mov     KPIO_CONTROL_SLOT(%rbx), %r12d
        mov     $CLONE_FLAGS, %edi
        xor     %esi, %esi
        xor     %edx, %edx
        xor     %r10d, %r10d
        xor     %r8d, %r8d
        mov     $NR_CLONE, %eax
        syscall
        test    %rax, %rax
        jz      thread
        jns     next_command
        lea     KPIO_CONTROL_FAILURE_MESSAGE(%rbx), %rsi
        mov     $KPIO_STUB_SOCKET, %edi
        mov     $MSG_NOSIGNAL, %edx
        mov     $NR_SENDMSG, %eax
        syscall
        jmp     next_command
leader_failed:
        lea     KPIO_CONTROL_FAILURE_MESSAGE(%rbx), %rsi
        mov     $KPIO_STUB_SOCKET, %edi
        mov     $MSG_NOSIGNAL, %edx
        mov     $NR_SENDMSG, %eax
        syscall
        mov     $1, %edi
        mov     $NR_EXIT_GROUP, %eax
        syscall
        ud2

# A new guest thread: rbx control page, r12d slot. Its descriptors are copies of the leader's.
thread:
        shl     $KPIO_SLOT_SHIFT, %r12
        movabs  $KPIO_STUB_SLOT_TABLE, %rdx
        add     %rdx, %r12
        jmp     thread_signal_stack
thread_send:
        mov     $KPIO_STUB_SOCKET, %edi
        lea     KPIO_CONTROL_THREAD_MESSAGE(%rbx), %rsi
        mov     $MSG_NOSIGNAL, %edx
        mov     $NR_SENDMSG, %eax
        SYSCALL_ENDING_AT KPIO_THREAD_SEND_RETURN
        xor     %edi, %edi
        mov     $-1, %esi
        xor     %edx, %edx
        mov     $NR_CLOSE_RANGE, %eax
        SYSCALL_ENDING_AT KPIO_THREAD_CLOSE_RETURN
        mov     %r12, %rdx
        jmp     load_bases

thread_signal_stack:
        mov     KPIO_SLOT_STACK_POINTER(%r12), %rsp
        lea     KPIO_SLOT_SIGNAL_STACK(%r12), %rdi
        xor     %esi, %esi
        mov     $NR_SIGALTSTACK, %eax
        syscall
        test    %rax, %rax
        jnz     thread_failed
        mov     $SECCOMP_SET_MODE_FILTER, %edi
        mov     KPIO_CONTROL_GUEST_FLAGS(%rbx), %rsi
        lea     KPIO_CONTROL_GUEST_PROGRAM(%rbx), %rdx
        mov     $NR_SECCOMP, %eax
        syscall
        cmp     $KPIO_STUB_LISTENER, %rax
        je      thread_send
thread_failed:
        lea     KPIO_CONTROL_FAILURE_MESSAGE(%rbx), %rsi
        mov     $KPIO_STUB_SOCKET, %edi
        mov     $MSG_NOSIGNAL, %edx
        mov     $NR_SENDMSG, %eax
        syscall
        xor     %edi, %edi
        mov     $NR_EXIT, %eax
        syscall
        ud2

# The mapper: carries out the operations in the control page, as many as its notification is answered with, and
# notifies again with the number done and the result of the one that failed.
mapper:
        mov     $SECCOMP_SET_MODE_FILTER, %edi
        mov     KPIO_CONTROL_MAPPER_FLAGS(%rbx), %rsi
        lea     KPIO_CONTROL_MAPPER_PROGRAM(%rbx), %rdx
        mov     $NR_SECCOMP, %eax
        syscall
        cmp     $KPIO_STUB_LISTENER, %rax
        jne     leader_failed
        mov     $KPIO_STUB_SOCKET, %edi
        lea     KPIO_CONTROL_MAPPER_MESSAGE(%rbx), %rsi
        mov     $MSG_NOSIGNAL, %edx
        mov     $NR_SENDMSG, %eax
        SYSCALL_ENDING_AT KPIO_MAPPER_SEND_RETURN
        mov     $KPIO_STUB_LISTENER, %edi
        mov     $-1, %esi
        xor     %edx, %edx
        mov     $NR_CLOSE_RANGE, %eax
        SYSCALL_ENDING_AT KPIO_MAPPER_CLOSE_RETURN
        mov     $KPIO_STUB_SOCKET, %edi
        mov     $NR_CLOSE, %eax
        SYSCALL_ENDING_AT KPIO_MAPPER_CLOSE_SOCKET_RETURN
        xor     %r12d, %r12d            # operations done
        xor     %r13d, %r13d            # result of the one that failed
mapper_notify:
        mov     %r12, %rdi
        mov     %r13, %rsi
        mov     $KPIO_MAPPER_NOTIFY_NUMBER, %eax
        SYSCALL_ENDING_AT KPIO_MAPPER_NOTIFY_RETURN
        mov     %eax, %r14d
        xor     %r12d, %r12d
        xor     %r13d, %r13d
        lea     KPIO_CONTROL_OPERATIONS(%rbx), %rbp
mapper_operation:
        cmp     %r14d, %r12d
        jae     mapper_notify
        mov     0(%rbp), %rax
        mov     8(%rbp), %rdi
        mov     16(%rbp), %rsi
        mov     24(%rbp), %rdx
        mov     32(%rbp), %r10
        mov     40(%rbp), %r8
        mov     48(%rbp), %r9
        SYSCALL_ENDING_AT KPIO_MAPPER_OPERATION_RETURN
        cmp     $-4095, %rax
        jae     mapper_failed
        add     $64, %rbp
        inc     %r12d
        jmp     mapper_operation
mapper_failed:
        mov     %rax, %r13
        jmp     mapper_notify
        .org    0x1000, 0xcc
        .section .note.GNU-stack, "", @progbits
