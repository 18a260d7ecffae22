// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string_view>

#include "lib/result.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "services/linux/program_image.h"
#include "services/linux/task.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

// execve(2), up to the point where nothing can fail any more, and then the rest. `name` is what the program was called
// by (AT_EXECFN and
// "#!" scripts). On success the calling task runs the new program when it goes back to user mode.
// Errors: those of execve(2); Killed when the program was lost and the process must end.
Result<> execute(Task& task, RefPtr<vfs::File> file, std::string_view name, ProgramArguments arguments);

// Opens a program as execve does: it must be a regular file with execute permission.
// Errors: NotFound, AccessDenied, those of vfs::open.
Result<RefPtr<vfs::File>> open_program(Task& task, const vfs::Path& start, std::string_view path,
                                       bool no_follow = false);

// Makes the first user process (a child of the reaper, leader of a session that has the console's terminal) and lets it
// run. Errors: those of execve(2).
struct FirstProcess {
    RefPtr<object::HandleTable> handles;
    RefPtr<FsContext> fs;
    RefPtr<security::Credentials> credentials;
    Process::Limits limits{};
};
Result<RefPtr<Process>> start_first_process(FirstProcess parts, std::string_view program, ProgramArguments arguments);

}  // namespace kernel::linux_abi
