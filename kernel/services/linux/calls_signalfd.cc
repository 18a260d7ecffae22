// SPDX-License-Identifier: MIT OR Apache-2.0
// signalfd(2).
#include "abi/linux/events.h"
#include "services/linux/file_arguments.h"
#include "services/linux/signal_file.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {

Result<std::int64_t> sys_signalfd4(Task& task, Fd fd, InStruct<abi::SignalMask> mask, Size mask_size, Hex flags) {
    if (mask_size != sizeof(abi::SignalMask)) {
        return Error::InvalidArgument;
    }
    const abi::SignalMask wanted = TRY(task.space().read_user(UserPtr<abi::SignalMask>(mask)));
    const auto bits = static_cast<std::uint32_t>(flags);
    if ((bits & ~std::uint32_t{abi::kSfdCloexec | abi::kSfdNonblock}) != 0) {
        return Error::InvalidArgument;
    }
    if (fd == -1) {
        RefPtr<SignalFile> file =
            TRY(SignalFile::create(anonymous_request(task, (bits & abi::kSfdNonblock) != 0), wanted));
        return insert_file(task, std::move(file), (bits & abi::kSfdCloexec) != 0);
    }
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    SignalFile* const signals = file_cast<SignalFile>(*file);
    if (signals == nullptr) {
        return Error::InvalidArgument;
    }
    signals->set_mask(task, wanted);
    return fd;
}

Result<std::int64_t> sys_signalfd(Task& task, Fd fd, InStruct<abi::SignalMask> mask, Size mask_size) {
    return sys_signalfd4(task, fd, mask, mask_size, Hex{0});
}

}  // namespace kernel::linux_abi
