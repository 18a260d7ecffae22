// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>

#include "lib/ref.h"
#include "lib/result.h"
#include "services/linux/terminal.h"
#include "services/vfs/file.h"

// The console as programs see it: a terminal where the platform's console is one, plain streams elsewhere, and the
// devices /dev/console and /dev/tty.
namespace kernel::linux_abi {

// Once at boot, before the first process.
Result<> initialize_console();

// Descriptors 0, 1 and 2 of the first process.
Result<std::array<RefPtr<vfs::File>, 3>> open_standard_files(const RefPtr<security::Credentials>& credentials);

// The console's terminal, null when it is none.
RefPtr<Terminal> console_terminal();

// Puts the outer terminal back as it was.
void release_console();

}  // namespace kernel::linux_abi
