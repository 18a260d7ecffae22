# SPDX-License-Identifier: MIT OR Apache-2.0
# The layer checker, and its run over the tree as a part of every build of it.
kpio_glob_sources(checker_sources tools/check_layers)
list(FILTER checker_sources EXCLUDE REGEX "/main\\.cc$")
add_library(check_layers_rules STATIC ${checker_sources})
target_include_directories(check_layers_rules PUBLIC ${CMAKE_SOURCE_DIR}/tools)
target_link_libraries(check_layers_rules PUBLIC kpio_program)
add_executable(check_layers ${CMAKE_SOURCE_DIR}/tools/check_layers/main.cc)
target_link_libraries(check_layers PRIVATE check_layers_rules)

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
