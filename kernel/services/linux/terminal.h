// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/tty.h"
#include "lib/ref.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

class Process;

// A terminal with its line discipline, termios(3), ioctl_tty(2): the console now, pseudo-terminals later.
class Terminal : public RefCounted {
  public:
    // The session that it controls (0: none) and that session's foreground group.
    int session_id() const;
    int foreground_group() const;
    // The session leader has ended: SIGHUP and SIGCONT to the foreground group, and the terminal belongs to nobody.
    void session_ended(int session_id);
};

}  // namespace kernel::linux_abi
