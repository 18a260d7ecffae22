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

# Tests of the platform itself, as a kernel of their own: tests/boot/run_selftest.sh runs it.
kpio_glob_sources(selftest_sources tests/boot)
if(selftest_sources AND TARGET kernel_platform_x86_64)
    add_executable(kpio-selftest.elf ${selftest_sources})
    target_include_directories(kpio-selftest.elf PRIVATE ${CMAKE_SOURCE_DIR}/tests/boot)
    target_link_libraries(kpio-selftest.elf PRIVATE kpio_kernel kernel_lib kernel_platform_x86_64)
    target_link_options(kpio-selftest.elf PRIVATE --ld-path=/usr/bin/ld.lld-22 -nostdlib -static
        -Wl,-T,${linker_script} -Wl,-z,max-page-size=0x1000 -Wl,-z,noexecstack -Wl,--gc-sections
        -Wl,--build-id=none)
    set_property(TARGET kpio-selftest.elf APPEND PROPERTY LINK_DEPENDS ${linker_script})
    set_property(TARGET kpio-selftest.elf PROPERTY LINKER_LANGUAGE CXX)
endif()
