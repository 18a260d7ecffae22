# SPDX-License-Identifier: MIT OR Apache-2.0
# The kernel as an ELF image that boots by itself.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
kpio_kernel_modules(x86_64)

set(linker_script ${CMAKE_SOURCE_DIR}/kernel/platform/x86_64/kernel.ld)
if(EXISTS ${linker_script} AND TARGET kernel_main)
    add_executable(kpio.elf)
    target_link_libraries(kpio.elf PRIVATE ${KPIO_KERNEL_TARGETS})
    target_link_options(kpio.elf PRIVATE --ld-path=/usr/bin/ld.lld-22 -nostdlib -static
        -Wl,-T,${linker_script} -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--gc-sections
        -Wl,--build-id=none)
    set_property(TARGET kpio.elf APPEND PROPERTY LINK_DEPENDS ${linker_script})
    set_property(TARGET kpio.elf PROPERTY LINKER_LANGUAGE CXX)
endif()
