// SPDX-License-Identifier: MIT OR Apache-2.0
// eventfd(2).
#include "abi/linux/events.h"
#include "services/linux/event_file.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {

Result<std::int64_t> sys_eventfd2(Task& task, Unsigned initial, Hex flags) {
    constexpr std::uint32_t kKnown = abi::kEfdSemaphore | abi::kEfdCloexec | abi::kEfdNonblock;
    const auto bits = static_cast<std::uint32_t>(flags);
    if ((bits & ~kKnown) != 0) {
        return Error::InvalidArgument;
    }
    const auto mode = (bits & abi::kEfdSemaphore) != 0 ? EventFile::Mode::Semaphore : EventFile::Mode::Counter;
    RefPtr<EventFile> file =
        TRY(EventFile::create(anonymous_request(task, (bits & abi::kEfdNonblock) != 0), initial, mode));
    return insert_file(task, std::move(file), (bits & abi::kEfdCloexec) != 0);
}

Result<std::int64_t> sys_eventfd(Task& task, Unsigned initial) {
    return sys_eventfd2(task, initial, Hex{0});
}

}  // namespace kernel::linux_abi
