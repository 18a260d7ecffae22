# SPDX-License-Identifier: MIT OR Apache-2.0
# The kernel as one static Linux program, with the command line tool around it.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
enable_testing()
kpio_kernel_modules(hosted)
include(cmake/stub.cmake)
include(cmake/host_tools.cmake)
add_test(NAME layers COMMAND check_layers ${CMAKE_SOURCE_DIR})
set_property(TEST layers PROPERTY LABELS layers)
add_test(NAME docs.syscalls COMMAND ${CMAKE_SOURCE_DIR}/scripts/check-generated docs/linux-syscalls.md $<TARGET_FILE:syscall_table> --markdown)
set_property(TEST docs.syscalls PROPERTY LABELS docs)

kpio_glob_sources(tool_sources tools/kpio)
if(tool_sources)
    add_library(tools_kpio OBJECT ${tool_sources})
    target_include_directories(tools_kpio PUBLIC
        ${CMAKE_SOURCE_DIR}/kernel ${CMAKE_SOURCE_DIR}/kernel/platform/include ${CMAKE_SOURCE_DIR}/tools)
    target_compile_definitions(tools_kpio PUBLIC _GLIBCXX_ASSERTIONS
        KPIO_LOCK_CHECK=$<BOOL:${KPIO_LOCK_CHECK}> KPIO_VERSION="${PROJECT_VERSION}")
    target_compile_options(tools_kpio PRIVATE -fno-pic -fno-pie -ffunction-sections -fdata-sections
        -fno-strict-aliasing)
    target_link_libraries(tools_kpio PRIVATE kpio_program)

    # Static: starting must cost no dynamic linking.
    add_executable(kpio)
    target_link_libraries(kpio PRIVATE kpio_program tools_kpio ${KPIO_KERNEL_TARGETS})
    target_link_options(kpio PRIVATE -static -Wl,--gc-sections -Wl,-z,noexecstack)
    set_property(TARGET kpio PROPERTY LINKER_LANGUAGE CXX)
endif()

include(cmake/guest_programs.cmake)
