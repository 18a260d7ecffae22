# SPDX-License-Identifier: MIT OR Apache-2.0
# Flags as interface targets: what a file is compiled with follows from what its target links.
#   kpio_warnings        for all our code
#   kpio_program         ordinary C++ programs on the host (tools, tests)
#   kpio_kernel          kernel code of the configured platform
#   kpio_kernel_test     unit tests of kernel code: the same, but GoogleTest throws

set(CMAKE_CXX_FLAGS_INIT "")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
# No -DNDEBUG: the kernel's assertions are part of the product.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_ASM_FLAGS_RELWITHDEBINFO "-g")

add_library(kpio_warnings INTERFACE)
target_compile_options(kpio_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:
    -Wall -Wextra -Wpedantic
    # TRY is a statement expression; structures of the Linux ABI are written as its headers write them.
    -Wno-gnu-statement-expression -Wno-gnu-zero-variadic-macro-arguments -Wno-nested-anon-types
    -Wno-gnu-anonymous-struct -Wno-c99-extensions -Wno-gnu-offsetof-extensions
    -Wconversion -Wsign-conversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-qual
    -Wextra-semi -Wimplicit-fallthrough -Wunreachable-code -Wthread-safety -Wformat=2 -Wundef
    -Wdate-time -Werror>)

add_library(kpio_program INTERFACE)
target_compile_options(kpio_program INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-std=c++23>)
target_link_options(kpio_program INTERFACE --ld-path=/usr/bin/ld.lld-22)
target_link_libraries(kpio_program INTERFACE kpio_warnings)

# -fno-strict-aliasing: frames change their type over their life, and casts in platform and lib see both.
add_library(kpio_kernel_test INTERFACE)
target_include_directories(kpio_kernel_test INTERFACE
    ${CMAKE_SOURCE_DIR}/kernel ${CMAKE_SOURCE_DIR}/kernel/platform/include)
target_compile_definitions(kpio_kernel_test INTERFACE
    _GLIBCXX_ASSERTIONS KPIO_LOCK_CHECK=$<BOOL:${KPIO_LOCK_CHECK}>)
target_compile_options(kpio_kernel_test INTERFACE $<$<COMPILE_LANGUAGE:CXX>:
    -std=c++23 -fno-rtti -fno-threadsafe-statics -fno-strict-aliasing
    -ffunction-sections -fdata-sections -fvisibility=hidden -fno-omit-frame-pointer>)
target_link_libraries(kpio_kernel_test INTERFACE kpio_warnings)

add_library(kpio_kernel INTERFACE)
target_compile_options(kpio_kernel INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
target_link_libraries(kpio_kernel INTERFACE kpio_kernel_test)

# One unit at link time: calls between modules are inlined, and virtual functions with one implementation become plain ones.
# A system call is mostly such calls. Debugging builds link faster without.
option(KPIO_LTO "Optimise the kernel as a whole when linking" ON)
if(KPIO_LTO AND KPIO_CONFIG STREQUAL "x86_64")
    target_compile_options(kpio_kernel INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-flto=full -fwhole-program-vtables -fsplit-lto-unit>)
endif()

if(KPIO_CONFIG STREQUAL "x86_64")
    # libstdc++'s freestanding subset lacks <expected> and <span>; its hosted headers work without a C library
    # as long as only the parts that need none are used (the layer checker keeps the list).
    target_compile_definitions(kpio_kernel INTERFACE $<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_HOSTED=1>)
    target_compile_options(kpio_kernel INTERFACE
        -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie
        $<$<COMPILE_LANGUAGE:CXX>:-ffreestanding -mno-sse -mno-mmx -msoft-float -fno-stack-protector
            -fno-asynchronous-unwind-tables -fno-unwind-tables>)
elseif(KPIO_CONFIG STREQUAL "hosted")
    target_compile_options(kpio_kernel INTERFACE -fno-pic -fno-pie)
endif()
