// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

// What the person who starts the kernel wants it to run. Hosted: filled by tools/kpio from its command line; elsewhere
// by main/command_line.cc from the boot loader's. All views stay valid for ever.
namespace kernel::main {

enum class BindAccess : std::uint8_t {
    ReadOnly,   // the host's files as they are
    Layered,    // changes go to a layer in memory and are lost at the end
    ReadWrite,  // changes go to the host
};

// A file or directory of the host that is seen at an absolute path of the guest. Later binds lie over earlier ones.
struct Bind {
    std::string_view host_path;
    std::string_view guest_path;
    BindAccess access = BindAccess::Layered;
    bool optional = false;         // a missing host path is no error
    bool hide_unreadable = false;  // entries that are not world-readable do not exist for the guest
};

// A symbolic link in the guest's root, as distributions have them for /bin and /lib.
struct Link {
    std::string_view guest_path;
    std::string_view target;
};

struct BootOptions {
    std::span<const Bind> binds;                    // "/" may be among them and then comes first
    std::span<const Link> links;                    // made before the binds; what is there already stays
    std::span<const std::string_view> directories;  // of the guest, made empty (with parents) where there is none
    std::span<const std::string_view> arguments;    // program and its arguments; empty starts a shell
    std::span<const std::string_view> environment;
    std::string_view working_directory = "/";
    std::uint32_t uid = 0, gid = 0;  // identity of the first process
    std::uint32_t max_threads = 512;
    std::uint32_t max_handles = 1024;  // RLIMIT_NOFILE of the first process
    bool trace = false;                // print system calls
    bool statistics = false;           // print a summary at the end
    bool quiet = false;                // no message of the kernel's own but errors
    std::uint64_t start_ns = 0;        // monotonic_ns when the host started us (0: unknown), for the boot time
};

// Must be called before platform start on hosted; the object must stay valid.
void set_boot_options(const BootOptions& chosen);
const BootOptions& boot_options();

// Exit statuses of the kernel's own, as env(1) and docker-run(1) use them.
inline constexpr int kStatusKernelError = 125;
inline constexpr int kStatusNotExecutable = 126;
inline constexpr int kStatusNotFound = 127;

}  // namespace kernel::main
