// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::main {

// Sets the boot options from the boot loader's command line, where there is one: words of the form key=value (uid, gid,
// threads, handles, cwd, env, trace, stats, quiet), then "--" and the program with its arguments. Quotes group words.
void apply_boot_command_line();

}  // namespace kernel::main
