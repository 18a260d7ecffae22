# SPDX-License-Identifier: MIT OR Apache-2.0

# The zygote's program, put into a memfd and executed from there.
        .section .rodata, "a"
        .balign 16
        .globl  kpio_stub_image, kpio_stub_image_end
kpio_stub_image:
        .incbin KPIO_STUB_PATH
kpio_stub_image_end:
        .section .note.GNU-stack, "", @progbits
