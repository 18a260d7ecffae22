// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <optional>

#include "services/linux/socket_file.h"

// Control messages, cmsg(3): descriptors and credentials on their way in and out of the kernel.
namespace kernel::linux_abi {

// Fills in what the control messages of a sendmsg say. Errors: InvalidArgument, BadAddress, BadHandle, NotPermitted,
// NoBufferSpace, NoMemory.
Result<> read_control(Task& task, VirtAddr control, std::uint64_t bytes, unix_domain::Outgoing& outgoing);

struct ControlResult {
    std::uint64_t bytes = 0;
    bool truncated = false;
};
// What came along with a message, as far as there is room. Descriptors that do not fit are closed.
Result<ControlResult> write_control(Task& task, VirtAddr control, std::uint64_t room, SocketFile& file,
                                    unix_domain::Incoming& incoming, bool close_on_exec);

}  // namespace kernel::linux_abi
