# SPDX-License-Identifier: MIT OR Apache-2.0
# Unit tests: one program per module, made of all *_test.cc in its folder, the module itself, the modules below it, and
# tests/support. The definitions in tests/support of what lib declares and others implement (heap, park, panic, the
# platform) are weak, so that the real ones win where a test links them; of two weak ones (the heap) that of tests/support does.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
enable_testing()
include(GoogleTest)

if(KPIO_CONFIG STREQUAL "unit-tsan")
    set(sanitizers -fsanitize=thread)
    # What several CPUs run at once. The rest would only double the time.
    set(tested_folders lib core/object core/mm core/irq core/sched core/ipc services/security services/vfs)
else()
    # vptr needs RTTI.
    set(tested_folders ${KPIO_KERNEL_MODULES} platform/hosted main)
    set(sanitizers -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
endif()
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-O1> ${sanitizers})
add_link_options(${sanitizers})

# Debian's libgtest.a is not instrumented, which ThreadSanitizer cannot do without.
add_library(kpio_gtest INTERFACE)
if(KPIO_CONFIG STREQUAL "unit-tsan")
    add_library(kpio_gtest_tsan STATIC /usr/src/googletest/googletest/src/gtest-all.cc
        /usr/src/googletest/googletest/src/gtest_main.cc)
    target_include_directories(kpio_gtest_tsan PRIVATE /usr/src/googletest/googletest)
    target_compile_options(kpio_gtest_tsan PRIVATE -std=c++23 -w)
    target_link_libraries(kpio_gtest INTERFACE kpio_gtest_tsan)
else()
    target_link_libraries(kpio_gtest INTERFACE gtest_main gtest)
endif()

kpio_glob_sources(support_sources tests/support)
if(support_sources)
    add_library(tests_support OBJECT ${support_sources})
    target_include_directories(tests_support PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_link_libraries(tests_support PRIVATE kpio_kernel_test)
endif()

function(kpio_unit_test name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_link_options(${name} PRIVATE --ld-path=/usr/bin/ld.lld-22)
    target_link_libraries(${name} PRIVATE ${arg_LINK} kpio_gtest)
    gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# All of its own module, and from those below what is needed: each is an OBJECT library and an archive of the same
# objects. Tests keep -fno-rtti, because they derive from kernel classes, and get exceptions, because GoogleTest throws.
set(archives "")
foreach(folder IN LISTS tested_folders)
    kpio_target_name(module kernel/${folder})
    kpio_kernel_module(kernel/${folder})
    kpio_glob_tests(tests kernel/${folder})
    if(tests)
        set(objects "")
        if(TARGET ${module})
            set(objects ${module})
        endif()
        set(support "")
        if(TARGET tests_support)
            set(support tests_support)
        endif()
        kpio_unit_test(${module}_test SOURCES ${tests} LINK kpio_kernel_test ${support} ${objects} ${archives})
    endif()
    if(TARGET ${module})
        add_library(${module}_archive STATIC $<TARGET_OBJECTS:${module}>)
        set_property(TARGET ${module}_archive PROPERTY LINKER_LANGUAGE CXX)
        list(PREPEND archives ${module}_archive)
    endif()
endforeach()
include(cmake/stub.cmake)

# Tools: the same, without kernel flags. Their own main.cc is left out.
if(KPIO_CONFIG STREQUAL "unit")
    include(cmake/host_tools.cmake)
    foreach(tool check_layers initramfs syscall_table)
        kpio_glob_tests(tests tools/${tool})
        kpio_unit_test(tools_${tool}_test SOURCES ${tests} LINK tools_${tool})
    endforeach()

    kpio_glob_tests(tests tools/kpio)
    if(tests)
        kpio_glob_sources(sources tools/kpio)
        list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
        add_library(tools_kpio STATIC ${sources})
        target_include_directories(tools_kpio PUBLIC
            ${CMAKE_SOURCE_DIR}/kernel ${CMAKE_SOURCE_DIR}/kernel/platform/include ${CMAKE_SOURCE_DIR}/tools)
        target_compile_definitions(tools_kpio PUBLIC _GLIBCXX_ASSERTIONS
            KPIO_LOCK_CHECK=$<BOOL:${KPIO_LOCK_CHECK}> KPIO_VERSION="${PROJECT_VERSION}")
        target_link_libraries(tools_kpio PUBLIC kpio_program)
        kpio_unit_test(tools_kpio_test SOURCES ${tests} LINK tools_kpio ${archives})
    endif()
endif()

# Parsers of bytes that come from outside, under libFuzzer: FOLDER/NAME_fuzz.cc with the parser's folder, whose sources are
# instrumented. As a test it runs for a bounded time; run it by hand with a corpus for longer.
function(kpio_parser_fuzzer name folder)
    kpio_glob_sources(parser_sources ${folder})
    add_executable(${name}_fuzz tests/fuzz/parsers/${name}_fuzz.cc ${parser_sources})
    target_include_directories(${name}_fuzz PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_compile_options(${name}_fuzz PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
    target_link_options(${name}_fuzz PRIVATE --ld-path=/usr/bin/ld.lld-22 -fsanitize=fuzzer)
    target_link_libraries(${name}_fuzz PRIVATE kpio_kernel_test tests_support ${archives} gtest)
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz -max_total_time=10 -max_len=4096 -rss_limit_mb=1024 -verbosity=0)
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
if(KPIO_CONFIG STREQUAL "unit")
    kpio_parser_fuzzer(cpio kernel/services/vfs/fs/initramfs)
endif()
