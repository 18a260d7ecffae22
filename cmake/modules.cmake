# SPDX-License-Identifier: MIT OR Apache-2.0
# Kernel modules are folders. A new file in a folder is picked up by itself; a new folder is a line here.

# From the bottom up: a module may use those before it (tools/check_layers has the exact arrows).
set(KPIO_KERNEL_MODULES
    lib
    core/object core/mm core/irq core/sched core/ipc core/syscall
    services/security services/drivers services/vfs services/net services/linux)

# Sources of a folder and the folders below it, without unit tests.
function(kpio_glob_sources result folder)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc ${CMAKE_SOURCE_DIR}/${folder}/*.S)
    list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
    set(${result} ${sources} PARENT_SCOPE)
endfunction()

function(kpio_glob_tests result folder)
    file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*_test.cc)
    set(${result} ${tests} PARENT_SCOPE)
endfunction()

# kernel/core/mm is target kernel_core_mm.
function(kpio_target_name result folder)
    string(REPLACE "/" "_" name ${folder})
    set(${result} ${name} PARENT_SCOPE)
endfunction()

# Makes the module an OBJECT library (products link all of it), or no target when the folder is empty.
# lib/freestanding is what a C library gives elsewhere.
function(kpio_kernel_module folder)
    kpio_target_name(name ${folder})
    kpio_glob_sources(sources ${folder})
    if(NOT KPIO_CONFIG STREQUAL "x86_64")
        list(FILTER sources EXCLUDE REGEX "/kernel/lib/freestanding/")
    endif()
    list(FILTER sources EXCLUDE REGEX "/kernel/platform/hosted/stub/")
    if(NOT sources)
        return()
    endif()
    add_library(${name} OBJECT ${sources})
    target_link_libraries(${name} PRIVATE kpio_kernel)
endfunction()

# All kernel modules for one platform, in KPIO_KERNEL_TARGETS.
macro(kpio_kernel_modules platform)
    set(KPIO_KERNEL_TARGETS "")
    foreach(folder IN LISTS KPIO_KERNEL_MODULES ITEMS platform/${platform} main)
        kpio_kernel_module(kernel/${folder})
        kpio_target_name(name kernel/${folder})
        if(TARGET ${name})
            list(APPEND KPIO_KERNEL_TARGETS ${name})
        endif()
    endforeach()
endmacro()
