# SPDX-License-Identifier: MIT OR Apache-2.0
# tests/system and tests/hostile: each .cc is a program of its own, static, plain Linux. System tests run natively on
# Linux, in the hosted kernel, and in QEMU, from one list; nothing in them knows where it runs.

function(kpio_guest_program result source folder)
    cmake_path(GET source STEM stem)
    string(REPLACE "/" "_" prefix ${folder})
    set(target ${prefix}_${stem})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${stem}
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
    target_compile_options(${target} PRIVATE -pthread)
    target_link_options(${target} PRIVATE -static -pthread)
    target_link_libraries(${target} PRIVATE kpio_program)
    if(TARGET ${prefix}_support)
        target_link_libraries(${target} PRIVATE ${prefix}_support)
    endif()
    set(${result} ${target} PARENT_SCOPE)
endfunction()

# What several programs share is in FOLDER/support.
function(kpio_guest_support folder)
    kpio_glob_sources(sources ${folder}/support)
    if(sources)
        string(REPLACE "/" "_" prefix ${folder})
        add_library(${prefix}_support STATIC ${sources})
        target_include_directories(${prefix}_support PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
        target_compile_options(${prefix}_support PRIVATE -pthread)
        target_link_libraries(${prefix}_support PRIVATE kpio_program)
    endif()
endfunction()

# tests/system/known_gaps.txt has lines "PLATFORM TEST REASON…": the test is expected to fail there, and it is an error
# when it passes. Status 77 says that a test cannot run on this host.
set(known_gaps_file ${CMAKE_SOURCE_DIR}/tests/system/known_gaps.txt)
set(known_gaps "")
if(EXISTS ${known_gaps_file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${known_gaps_file})
    file(STRINGS ${known_gaps_file} known_gaps REGEX "^[a-z]")
endif()

function(kpio_system_test platform name)
    cmake_parse_arguments(arg "" "TIMEOUT" "COMMAND;LABELS" ${ARGN})
    set(command ${arg_COMMAND})
    foreach(gap IN LISTS known_gaps)
        if(gap MATCHES "^${platform} +${name} +(.+)$")
            set(command ${CMAKE_SOURCE_DIR}/scripts/expect-failure ${CMAKE_MATCH_1} -- ${command})
        endif()
    endforeach()
    add_test(NAME ${platform}.${name} COMMAND ${command})
    set_tests_properties(${platform}.${name} PROPERTIES
        LABELS "${platform};${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

kpio_guest_support(tests/system)
file(GLOB system_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/system/*.cc)
list(FILTER system_sources EXCLUDE REGEX "_test\\.cc$")
set(system_names "")
foreach(source IN LISTS system_sources)
    kpio_guest_program(target ${source} tests/system)
    cmake_path(GET source STEM stem)
    list(APPEND system_names ${stem})
    kpio_system_test(linux ${stem} COMMAND $<TARGET_FILE:${target}> LABELS system TIMEOUT 60)
    if(TARGET kpio)
        kpio_system_test(hosted ${stem} COMMAND $<TARGET_FILE:kpio> run -q -- $<TARGET_FILE:${target}>
            LABELS system TIMEOUT 60)
        kpio_system_test(hosted-1cpu ${stem} COMMAND $<TARGET_FILE:kpio> run -q --cpus 1 -- $<TARGET_FILE:${target}>
            LABELS system TIMEOUT 60)
    endif()
endforeach()

# What people run every day, with real work: NAME.sh is run by Linux's bash and by the guest's.
file(GLOB program_scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/programs/*.sh)
foreach(script IN LISTS program_scripts)
    cmake_path(GET script STEM stem)
    kpio_system_test(linux programs.${stem} COMMAND bash ${script} LABELS programs TIMEOUT 300)
    if(TARGET kpio)
        kpio_system_test(hosted programs.${stem} LABELS programs TIMEOUT 300 COMMAND $<TARGET_FILE:kpio> run -q --cwd /tmp
            --bind ${CMAKE_SOURCE_DIR}/tests/programs:/programs:ro -- /bin/bash /programs/${stem}.sh)
    endif()
endforeach()

# The list for other runners: one program's path a line.
list(TRANSFORM system_names PREPEND ${CMAKE_BINARY_DIR}/tests/system/ OUTPUT_VARIABLE system_paths)
list(JOIN system_paths "\n" system_list)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/tests/system/list.txt CONTENT "${system_list}\n" @ONLY)

# Programs that a driver beside them runs: attacks are judged from outside, the fuzzer is bounded, benchmarks compare.
# The fuzzer reads the kernel's table of system calls.
foreach(folder tests/hostile tests/fuzz tests/stress bench)
    kpio_guest_support(${folder})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc)
    list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
    foreach(source IN LISTS sources)
        kpio_guest_program(target ${source} ${folder})
        if(folder STREQUAL "tests/fuzz")
            target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/kernel)
        endif()
    endforeach()
endforeach()

# FOLDER/NAME.sh is test LABEL.NAME. It is given the build folder; the environment has KPIO, the command to test.
function(kpio_script_tests folder label timeout)
    file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.sh)
    foreach(script IN LISTS scripts)
        cmake_path(GET script STEM stem)
        add_test(NAME ${label}.${stem} COMMAND bash ${script} ${CMAKE_BINARY_DIR})
        set_tests_properties(${label}.${stem} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77
            ENVIRONMENT "KPIO=$<TARGET_FILE:kpio>;KPIO_BUILD=${CMAKE_BINARY_DIR};KPIO_SOURCE=${CMAKE_SOURCE_DIR}")
    endforeach()
endfunction()
if(TARGET kpio)
    kpio_script_tests(tests/hostile hostile 300)
    # One looks for what is left on the host, where the other keeps its secrets meanwhile.
    set_tests_properties(hostile.attacks hostile.killed PROPERTIES RESOURCE_LOCK host)
    kpio_script_tests(tests/cli cli 120)
    kpio_script_tests(tests/docs docs 1200)
    kpio_script_tests(tests/fuzz fuzz 300)
    kpio_script_tests(tests/stress stress 300)
    kpio_script_tests(tests/boot qemu 1600)
    # Each uses both processors of a small machine.
    set_tests_properties(qemu.run_selftest qemu.system qemu.old_host PROPERTIES PROCESSORS 2)
    add_test(NAME demo COMMAND ${CMAKE_SOURCE_DIR}/scripts/demo)
    set_tests_properties(demo PROPERTIES LABELS demo TIMEOUT 120)
endif()
