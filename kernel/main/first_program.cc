// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/first_program.h"

#include <array>

#include "core/irq/interrupts.h"
#include "core/mm/frame_allocator.h"
#include "lib/log.h"
#include "main/boot_options.h"
#include "main/command_line.h"
#include "main/root_file_system.h"
#include "main/shutdown.h"
#include "main/statistics.h"
#include "platform/power.h"
#include "services/linux/console.h"
#include "services/linux/exec.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/services.h"
#include "services/linux/signals.h"
#include "services/linux/task_exit.h"
#include "services/linux/trace.h"
#include "services/vfs/operations.h"

namespace kernel::main {
namespace {

constexpr std::array<std::string_view, 3> kShells = {"/bin/bash", "/bin/sh", "/bin/busybox"};
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

[[noreturn]] void fail(int status, std::string_view what, Error error) {
    log_error("{}: {}", what, error_text(error));
    shut_down(status);
}

int status_of_start_error(Error error) {
    const bool missing = error == Error::NotFound || error == Error::NotDirectory;
    return missing ? kStatusNotFound : kStatusNotExecutable;
}

void first_process_ended(int wait_status) {
    shut_down(exit_status_of(wait_status));
}

// The outside wants an end: the program may tidy up; the second request does not ask.
void handle_power_request() {
    static std::atomic<bool> asked = false;
    const RefPtr<linux_abi::Process> first = linux_abi::process_tree::find_process(linux_abi::process_tree::kFirstPid);
    if (!first) {
        return;
    }
    const int signal = asked.exchange(true) ? abi::kSigkill : abi::kSigterm;
    (void)linux_abi::send_to_process(*first, linux_abi::kernel_signal(signal));
}

linux_abi::Process::Limits first_limits(const BootOptions& options) {
    linux_abi::Process::Limits limits;
    limits.fill({abi::kRlimInfinity, abi::kRlimInfinity});
    constexpr std::uint64_t kStackBytes = 8 * 1024 * 1024;
    limits[abi::kRlimitStack].current = kStackBytes;
    limits[abi::kRlimitNofile] = {options.max_handles, object::HandleTable::kMaxHandles};
    limits[abi::kRlimitNproc] = {options.max_threads, options.max_threads};
    limits[abi::kRlimitCore] = {0, abi::kRlimInfinity};
    limits[abi::kRlimitNice] = limits[abi::kRlimitRtprio] = {0, 0};
    return limits;
}

Result<RefPtr<security::Credentials>> first_credentials(const BootOptions& options) {
    if (options.uid == 0) {
        return security::Credentials::create_root();
    }
    security::CredentialValues values;
    values.user_real = values.user_effective = values.user_saved = values.user_filesystem = options.uid;
    values.group_real = values.group_effective = values.group_saved = values.group_filesystem = options.gid;
    return security::Credentials::create(values, {});
}

Result<RefPtr<object::HandleTable>> first_handles(const BootOptions& options,
                                                  const RefPtr<security::Credentials>& credentials) {
    RefPtr<object::HandleTable> handles = TRY(object::HandleTable::create(options.max_handles));
    for (RefPtr<vfs::File>& file : TRY(linux_abi::open_standard_files(credentials))) {
        TRY(handles->insert(std::move(file), object::Rights::All));
    }
    return handles;
}

std::string_view environment_value(const BootOptions& options, std::string_view name) {
    for (const std::string_view entry : options.environment) {
        if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
            return entry.substr(name.size() + 1);
        }
    }
    return {};
}

bool is_executable(const vfs::WalkContext& context, std::string_view path) {
    const Result<vfs::Status> status = vfs::status(context, path);
    return status && status->type == vfs::FileType::Regular && vfs::check_access(context, path, vfs::Wanted::Execute);
}

// As execvp(3): a name without a slash is looked for in PATH. The name itself when it is nowhere.
Result<String> find_program(const vfs::WalkContext& context, const BootOptions& options, std::string_view name) {
    if (name.find('/') != std::string_view::npos) {
        return String::create(name);
    }
    std::string_view path = environment_value(options, "PATH");
    if (path.empty()) {
        path = kDefaultPath;
    }
    while (!path.empty()) {
        const std::size_t colon = path.find(':');
        const std::string_view folder = path.substr(0, colon);
        path = colon == std::string_view::npos ? std::string_view() : path.substr(colon + 1);
        String candidate = TRY(String::create(folder.empty() ? "." : folder));
        TRY(candidate.append("/"));
        TRY(candidate.append(name));
        if (is_executable(context, candidate.view())) {
            return candidate;
        }
    }
    return Error::NotFound;
}

std::string_view first_shell(const vfs::WalkContext& context) {
    for (const std::string_view shell : kShells) {
        if (is_executable(context, shell)) {
            return shell;
        }
    }
    return kShells[1];
}

Result<linux_abi::ProgramArguments> collect_arguments(const BootOptions& options, std::string_view shell) {
    linux_abi::ProgramArguments result;
    if (options.arguments.empty()) {
        TRY(result.arguments.add(shell));
    }
    for (const std::string_view argument : options.arguments) {
        TRY(result.arguments.add(argument));
    }
    for (const std::string_view variable : options.environment) {
        TRY(result.environment.add(variable));
    }
    return result;
}

Result<> start_services(const BootOptions& options) {
    linux_abi::set_trace_settings({.print = options.trace, .count = options.statistics});
    TRY(linux_abi::initialize_services(options.max_threads));
    irq::register_power_handler(&handle_power_request);
    linux_abi::set_first_process_handler(&first_process_ended);
    return {};
}

void start_program(const BootOptions& options, const RootFileSystem& root) {
    const auto must = [](auto result, std::string_view what) {
        if (!result) {
            fail(kStatusKernelError, what, result.error());
        }
        return std::move(*result);
    };
    const RefPtr<security::Credentials> credentials = must(first_credentials(options), "credentials");
    const vfs::WalkContext from_root{root.root, root.root, credentials};
    Result<vfs::Path> directory = vfs::resolve(from_root, options.working_directory, vfs::WalkFlags::Directory);
    if (!directory) {
        fail(kStatusKernelError, options.working_directory, directory.error());
    }
    const vfs::WalkContext context{root.root, *directory, credentials};
    const std::string_view shell = first_shell(context);
    const std::string_view name = options.arguments.empty() ? shell : options.arguments.front();
    const Result<String> program = find_program(context, options, name);
    if (!program) {
        fail(status_of_start_error(program.error()), name, program.error());
    }

    linux_abi::FirstProcess parts;
    parts.handles = must(first_handles(options, credentials), "standard files");
    parts.fs = must(linux_abi::FsContext::create(root.root, *directory, 022), "working directory");
    parts.credentials = credentials;
    parts.limits = first_limits(options);
    note_first_program();
    const auto started = linux_abi::start_first_process(std::move(parts), program->view(),
                                                        must(collect_arguments(options, shell), "arguments"));
    if (!started) {
        fail(status_of_start_error(started.error()), program->view(), started.error());
    }
}

}  // namespace

void run_first_program() {
    apply_boot_command_line();
    const BootOptions& options = boot_options();
    if (const Result<> started = start_services(options); !started) {
        fail(kStatusKernelError, "starting services", started.error());
    }
    const Result<RootFileSystem> root = assemble_root(options);
    if (!root) {
        fail(kStatusKernelError, "the root file system", root.error());
    }
    start_program(options, *root);
}

}  // namespace kernel::main
