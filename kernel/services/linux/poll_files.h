// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "abi/linux/signal.h"
#include "abi/linux/types.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/user_ptr.h"
#include "services/linux/task.h"
#include "services/vfs/file.h"
#include "services/vfs/poll.h"

// Waiting for several files: what poll(2) and select(2) share.
namespace kernel::linux_abi {

// A deadline for calls that only look.
inline constexpr std::uint64_t kAlreadyOver = 0;

struct PolledFile {
    RefPtr<vfs::File> file;  // null: `found` is the answer already
    vfs::PollEvents interest = vfs::PollEvents::None;
    vfs::PollEvents found = vfs::PollEvents::None;
};

// Blocks until a file has an event that it is watched for, or a file that is null has an answer; the number of such
// files, 0 after the deadline (monotonic). Errors: Interrupted, NoMemory.
Result<std::int64_t> wait_for_files(Task& task, std::span<PolledFile> files, std::uint64_t deadline_ns);

// The timeout of ppoll and pselect; a null pointer is kNoDeadline. Errors: BadAddress, InvalidArgument.
Result<std::uint64_t> read_deadline(Task& task, UserPtr<abi::Timespec> timeout);
// What is left until then.
abi::Timespec remaining_until(std::uint64_t deadline_ns);
Result<> write_remaining(Task& task, UserPtr<abi::Timespec> timeout, std::uint64_t deadline_ns);

// The signal mask for the length of the call; a null pointer changes nothing. Errors: InvalidArgument, BadAddress.
Result<> use_temporary_mask(Task& task, UserPtr<abi::SignalMask> mask, std::uint64_t mask_bytes);

// The end of ppoll and its like. The remaining time is written whatever happened; if that fails, an interrupted call
// cannot be restarted, because its timeout would begin anew. The mask comes back at once unless a signal is to be
// delivered under the temporary one.
template <class WriteRemaining>
Result<std::int64_t> finish_timed_wait(Task& task, const Result<std::int64_t>& result, WriteRemaining&& write) {
    const bool written = write().has_value();
    if (!result && result.error() == Error::Interrupted) {
        return written ? Error::RestartNoHandler : Error::Interrupted;
    }
    task.restore_mask();
    return result;
}

}  // namespace kernel::linux_abi
