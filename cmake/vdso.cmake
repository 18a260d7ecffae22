# SPDX-License-Identifier: MIT OR Apache-2.0
# The shared object that every Linux program finds in its address space. It is compiled for user mode, whatever the
# kernel is compiled for, and embedded as KPIO_VDSO_PATH by kernel/services/linux/vdso_image.cc.
set(vdso_folder ${CMAKE_SOURCE_DIR}/userspace/vdso)
add_library(kpio_vdso MODULE ${vdso_folder}/vdso.cc)
set_target_properties(kpio_vdso PROPERTIES COMPILE_OPTIONS "" LINK_OPTIONS "" PREFIX "" SUFFIX ".so" NO_SONAME TRUE
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/vdso LINK_DEPENDS ${vdso_folder}/vdso.ld)
target_include_directories(kpio_vdso PRIVATE ${CMAKE_SOURCE_DIR}/kernel)
target_compile_options(kpio_vdso PRIVATE -O2 -fPIC -std=c++23 -ffreestanding -fno-exceptions -fno-rtti -fvisibility=hidden
    -fno-stack-protector -fcf-protection=none -mno-sse -mno-mmx -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer -fno-jump-tables)
target_link_options(kpio_vdso PRIVATE --ld-path=/usr/bin/ld.lld-22 -nostdlib -Wl,-T,${vdso_folder}/vdso.ld -Wl,-soname=linux-vdso.so.1
    -Wl,--hash-style=both -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--strip-all -Wl,-z,norelro -Wl,--no-undefined)
target_link_libraries(kpio_vdso PRIVATE kpio_warnings)
set(vdso_path ${CMAKE_BINARY_DIR}/vdso/kpio_vdso.so)
set_source_files_properties(${CMAKE_SOURCE_DIR}/kernel/services/linux/vdso_image.cc PROPERTIES
    COMPILE_DEFINITIONS KPIO_VDSO_PATH="${vdso_path}" OBJECT_DEPENDS ${vdso_path})
