// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

// Clang's thread safety analysis: https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#define KPIO_CAPABILITY(name) __attribute__((capability(name)))
#define KPIO_SCOPED_CAPABILITY __attribute__((scoped_lockable))
#define KPIO_GUARDED_BY(...) __attribute__((guarded_by(__VA_ARGS__)))
#define KPIO_PT_GUARDED_BY(...) __attribute__((pt_guarded_by(__VA_ARGS__)))
#define KPIO_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define KPIO_EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define KPIO_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define KPIO_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))
#define KPIO_TRY_ACQUIRE(...) __attribute__((try_acquire_capability(__VA_ARGS__)))
#define KPIO_ASSERT_CAPABILITY(...) __attribute__((assert_capability(__VA_ARGS__)))
#define KPIO_RETURN_CAPABILITY(...) __attribute__((lock_returned(__VA_ARGS__)))
#define KPIO_NO_THREAD_SAFETY_ANALYSIS __attribute__((no_thread_safety_analysis))
