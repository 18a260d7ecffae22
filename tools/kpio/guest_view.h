// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <expected>
#include <string>
#include <vector>

#include "kpio/run_options.h"
#include "main/boot_options.h"

namespace kpio {

// Who asks, and from where.
struct Caller {
    std::string working_directory;  // absolute and without symbolic links; empty when it has been deleted
    std::string home;
};
Caller current_caller();

// What the guest will see of the host: the policy of `kpio run`, as data for the kernel.
struct GuestView {
    struct Bind {
        std::string host;
        std::string guest;
        kernel::main::BindAccess access;
        bool hide_unreadable = false;
    };
    struct Link {
        std::string guest;
        std::string target;
    };
    std::vector<Bind> binds;  // later ones lie over earlier ones
    std::vector<Link> links;
    std::vector<std::string> directories;
    std::string working_directory;
};

// Looks at the host. The error is one sentence for the user: a path that was named does not exist, or is never shown.
std::expected<GuestView, std::string> plan_guest_view(const RunOptions& options, const Caller& caller);

// The guest's variables: a few harmless ones of the caller's, a standard PATH, and what --env says.
std::vector<std::string> plan_environment(const RunOptions& options, const char* const* caller_environment);

}  // namespace kpio
