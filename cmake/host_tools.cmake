# SPDX-License-Identifier: MIT OR Apache-2.0
# Small programs for the build, each in tools/NAME: a library for its tests, and main.cc.
function(kpio_host_tool name)
    kpio_glob_sources(sources tools/${name})
    list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
    add_library(tools_${name} STATIC ${sources})
    target_include_directories(tools_${name} PUBLIC ${CMAKE_SOURCE_DIR}/tools)
    target_link_libraries(tools_${name} PUBLIC kpio_program)
    add_executable(${name} ${CMAKE_SOURCE_DIR}/tools/${name}/main.cc)
    target_link_libraries(${name} PRIVATE tools_${name})
endfunction()

kpio_host_tool(check_layers)
kpio_host_tool(initramfs)
kpio_host_tool(syscall_table)
# The table is the kernel's own file.
target_include_directories(tools_syscall_table PRIVATE ${CMAKE_SOURCE_DIR}/kernel)

# The layers are checked as a part of every build.
set(checked_patterns "")
foreach(folder kernel servers userspace tools tests bench)
    foreach(extension h cc S def)
        list(APPEND checked_patterns ${CMAKE_SOURCE_DIR}/${folder}/*.${extension})
    endforeach()
endforeach()
file(GLOB_RECURSE checked_files CONFIGURE_DEPENDS ${checked_patterns})
set(layers_stamp ${CMAKE_BINARY_DIR}/layers_checked)
add_custom_command(OUTPUT ${layers_stamp}
    COMMAND check_layers --quiet --stamp ${layers_stamp} ${CMAKE_SOURCE_DIR}
    DEPENDS check_layers ${checked_files}
    COMMENT "Checking the layers" VERBATIM)
add_custom_target(layers ALL DEPENDS ${layers_stamp})
