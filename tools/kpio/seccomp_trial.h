// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kpio {

// What a child process could do with seccomp(2) on this host.
struct SeccompTrial {
    int listener_error = 0;    // errno of making a user-notification listener; 0: made
    bool answered = false;     // a notification arrived here and its answer reached the child
    bool synchronous = false;  // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP is there
    bool trapped = false;      // SECCOMP_RET_TRAP raised SIGSYS
};

SeccompTrial try_seccomp();

}  // namespace kpio
