# SPDX-License-Identifier: MIT OR Apache-2.0
# One compiler for every configuration: thread-safety attributes and the kernel's flags need this clang.
set(CMAKE_CXX_COMPILER clang++-22)
set(CMAKE_ASM_COMPILER clang-22)
