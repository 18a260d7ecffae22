# SPDX-License-Identifier: MIT OR Apache-2.0
# The program that guest processes of the hosted platform start as. It has no C library and its own linker script,
# and is embedded into the kernel by an .incbin of KPIO_STUB_PATH in an assembler file of kernel/platform/hosted.
set(stub_folder ${CMAKE_SOURCE_DIR}/kernel/platform/hosted/stub)
file(GLOB stub_sources CONFIGURE_DEPENDS ${stub_folder}/*.cc ${stub_folder}/*.S)
list(FILTER stub_sources EXCLUDE REGEX "_test\\.cc$")
if(stub_sources AND TARGET kernel_platform_hosted)
    add_executable(kpio_stub ${stub_sources})
    # Without the sanitizers of the unit tests.
    set_property(TARGET kpio_stub PROPERTY COMPILE_OPTIONS "")
    set_property(TARGET kpio_stub PROPERTY LINK_OPTIONS "")
    target_include_directories(kpio_stub PRIVATE
        ${CMAKE_SOURCE_DIR}/kernel ${CMAKE_SOURCE_DIR}/kernel/platform/include)
    # Position-independent code reaches itself at whatever address the linker script chooses.
    target_compile_options(kpio_stub PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpie -fvisibility=hidden
        -std=c++23 -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-strict-aliasing
        -fno-stack-protector -fcf-protection=none -mno-red-zone -mno-sse -mno-mmx
        -fno-asynchronous-unwind-tables -fno-unwind-tables>)
    target_compile_definitions(kpio_stub PRIVATE $<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_HOSTED=1>)
    target_link_options(kpio_stub PRIVATE --ld-path=/usr/bin/ld.lld-22 -nostdlib -static
        -Wl,-z,noexecstack -Wl,--build-id=none -Wl,-z,norelro -Wl,--strip-all)
    target_link_libraries(kpio_stub PRIVATE kpio_warnings)
    if(EXISTS ${stub_folder}/stub.ld)
        target_link_options(kpio_stub PRIVATE -Wl,-T,${stub_folder}/stub.ld)
        set_property(TARGET kpio_stub APPEND PROPERTY LINK_DEPENDS ${stub_folder}/stub.ld)
    endif()

    add_dependencies(kernel_platform_hosted kpio_stub)
    set(stub_path $<TARGET_FILE:kpio_stub>)
    target_compile_definitions(kernel_platform_hosted PRIVATE KPIO_STUB_PATH="${stub_path}")
    file(GLOB hosted_assembly CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernel/platform/hosted/*.S)
    set_property(SOURCE ${hosted_assembly} APPEND PROPERTY OBJECT_DEPENDS ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/kpio_stub)
endif()
