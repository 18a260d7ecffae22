// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/syscalls.h"

#include <utility>

namespace kernel::linux_abi {
namespace {

// Turns the six registers into the handler's typed arguments.
template <auto F>
struct Invoke;

template <class... Arguments, Result<std::int64_t> (*F)(Task&, Arguments...)>
struct Invoke<F> {
    static Result<std::int64_t> call(void* context, const platform::SyscallFrame& frame) {
        return with_indices(*static_cast<Task*>(context), frame, std::index_sequence_for<Arguments...>{});
    }

private:
    template <std::size_t... I>
    static Result<std::int64_t> with_indices(Task& task, [[maybe_unused]] const platform::SyscallFrame& frame,
                                             std::index_sequence<I...>) {
        static_assert(sizeof...(I) <= 6);
        return F(task, ArgumentTraits<Arguments>::from_register(frame.arguments[I])...);
    }
};

#define ARG(type, name)                     \
    syscall::ArgumentInfo {                 \
        #name, &ArgumentTraits<type>::kType \
    }
#define SYSCALL(number, name, status, note, ...)                                                                  \
    constexpr std::array<syscall::ArgumentInfo, std::initializer_list<syscall::ArgumentInfo>{__VA_ARGS__}.size()> \
        kArguments_##name{__VA_ARGS__};
#define MISSING(number, name)
#include "abi/linux/syscalls.def"
#undef SYSCALL
#undef MISSING
#undef ARG

constexpr syscall::Row kRows[] = {
#define SYSCALL(number, name, status, note, ...) \
    {number, #name, syscall::Status::status, note, kArguments_##name, &Invoke<&sys_##name>::call},
#define MISSING(number, name) {number, #name, syscall::Status::Missing, "", {}, nullptr},
#include "abi/linux/syscalls.def"
#undef SYSCALL
#undef MISSING
};

constinit syscall::Statistics statistics;

}  // namespace

constinit const syscall::Table kSyscallTable{kRows};

syscall::Statistics& syscall_statistics() {
    return statistics;
}

}  // namespace kernel::linux_abi
