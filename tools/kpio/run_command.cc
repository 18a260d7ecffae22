// SPDX-License-Identifier: MIT OR Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "kpio/commands.h"
#include "kpio/guest_view.h"
#include "kpio/run_options.h"
#include "main/boot_options.h"
#include "platform/hosted/hosted_main.h"

namespace kpio {
namespace {

using kernel::main::BootOptions;
using kernel::platform::hosted::HostedOptions;

// More processors cost start-up time and memory, and few guests use them; --cpus gives more.
constexpr unsigned kDefaultCpus = 4;

std::uint64_t half_of_memory() {
    struct sysinfo info{};
    return sysinfo(&info) == 0 ? info.totalram * info.mem_unit / 2 : std::uint64_t{512} << 20;
}

unsigned usable_cpus() {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? static_cast<unsigned>(CPU_COUNT(&allowed)) : 1;
}

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// Everything that BootOptions points to. Made once and never destroyed: the kernel keeps the views.
struct BootData {
    RunOptions options{};
    GuestView view{};
    std::vector<std::string> environment{};
    std::vector<kernel::main::Bind> binds{};
    std::vector<kernel::main::Link> links{};
    std::vector<kernel::platform::hosted::HostRoot> roots{};
    std::vector<std::string_view> directories{};
    std::vector<std::string_view> variables{};
    BootOptions boot{};
};

void fill_boot_options(BootData& data) {
    for (const GuestView::Bind& bind : data.view.binds) {
        data.binds.push_back({.host_path = bind.host,
                              .guest_path = bind.guest,
                              .access = bind.access,
                              .optional = false,
                              .hide_unreadable = bind.hide_unreadable});
    }
    for (const GuestView::Link& link : data.view.links) {
        data.links.push_back({.guest_path = link.guest, .target = link.target});
    }
    for (const GuestView::Bind& bind : data.view.binds) {
        data.roots.push_back(
            {.path = bind.host.c_str(), .writable = bind.access == kernel::main::BindAccess::ReadWrite});
    }
    data.directories.assign(data.view.directories.begin(), data.view.directories.end());
    data.variables.assign(data.environment.begin(), data.environment.end());

    BootOptions& boot = data.boot;
    boot.binds = data.binds;
    boot.links = data.links;
    boot.directories = data.directories;
    boot.arguments = data.options.arguments;
    boot.environment = data.variables;
    boot.working_directory = data.view.working_directory;
    // The caller's own identity: files of the host then belong to whom they belong on the host.
    boot.uid = geteuid();
    boot.gid = getegid();
    boot.trace = data.options.trace;
    boot.statistics = data.options.statistics;
    boot.quiet = data.options.quiet;
    boot.start_ns = 1;  // the kernel's clock starts with us
    kernel::main::set_boot_options(boot);
}

}  // namespace

int run_command(std::span<const std::string_view> words) {
    HostedOptions hosted;
    hosted.start_ns = now_ns();
    auto options = parse_run_options(words);
    if (!options.has_value()) {
        return fail(options.error());
    }
    if (options->help) {
        print(run_help());
        return 0;
    }
    auto view = plan_guest_view(*options, current_caller());
    if (!view.has_value()) {
        return fail(view.error());
    }
    if (options->trace_file.has_value()) {
        const std::string path(*options->trace_file);
        hosted.trace_descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
        if (hosted.trace_descriptor < 0) {
            return fail("--trace=" + path + ": " + std::strerror(errno));
        }
    }
    auto& data = *new BootData{.options = std::move(*options), .view = std::move(*view)};
    data.environment = plan_environment(data.options, environ);
    fill_boot_options(data);
    hosted.memory_bytes = data.options.memory_bytes.value_or(half_of_memory());
    hosted.cpus = data.options.cpus.value_or(std::min(usable_cpus(), kDefaultCpus));
    hosted.roots = data.roots;
    kernel::platform::hosted::hosted_start(hosted);
}

}  // namespace kpio
