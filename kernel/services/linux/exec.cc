// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/exec.h"

#include <algorithm>
#include <array>

#include "core/mm/io_buffer.h"
#include "services/linux/elf_loader.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/task_exit.h"
#include "services/linux/write_denial.h"
#include "services/vfs/operations.h"
#include "services/vfs/walker.h"

namespace kernel::linux_abi {
namespace {

constexpr unsigned kMaxScriptDepth = 5;
constexpr std::size_t kScriptLineBytes = 256;  // BINPRM_BUF_SIZE

struct ScriptLine {
    std::string_view interpreter;
    std::string_view argument;  // empty: none
};

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// "#! interpreter [one argument]", execve(2).
Result<ScriptLine> parse_script_line(std::string_view head) {
    head.remove_prefix(2);
    const std::size_t end = head.find('\n');
    // Linux leaves the last byte of its buffer out when the line does not end in it.
    if (end == std::string_view::npos) {
        head = head.substr(0, kScriptLineBytes - 3);
    }
    // A path that was cut off must not run as another one.
    if (end == std::string_view::npos && head.size() == kScriptLineBytes - 3 &&
        trim(head).find_first_of(" \t") == std::string_view::npos) {
        return Error::NotExecutable;
    }
    const std::string_view line = trim(head.substr(0, end));
    const std::size_t space = line.find_first_of(" \t");
    ScriptLine result{line.substr(0, space), {}};
    if (space != std::string_view::npos) {
        result.argument = trim(line.substr(space));
    }
    if (result.interpreter.empty()) {
        return Error::NotExecutable;
    }
    return result;
}

struct Program {
    RefPtr<vfs::File> file;
    String name;
    RefPtr<WriteDenial> write_denial{};
};

// Follows "#!" lines until a binary; changes the arguments on the way.
Result<Program> resolve_scripts(Task& task, Program program, ProgramArguments& arguments) {
    for (unsigned depth = 0;; ++depth) {
        program.write_denial = TRY(WriteDenial::create(*program.file->inode()));
        std::array<char, kScriptLineBytes> head{};
        const std::span<std::byte> bytes = std::as_writable_bytes(std::span(head));
        mm::IoBuffer buffer(bytes);
        const std::size_t size = TRY(program.file->read_at(buffer, 0));
        const std::string_view text(head.data(), size);
        if (!text.starts_with("#!")) {
            return program;
        }
        if (depth == kMaxScriptDepth) {
            return Error::SymlinkLoop;
        }
        const ScriptLine line = TRY(parse_script_line(text.substr(0, text.find('\0'))));
        arguments.arguments.remove_first();
        TRY(arguments.arguments.prepend(program.name.view()));
        if (!line.argument.empty()) {
            TRY(arguments.arguments.prepend(line.argument));
        }
        TRY(arguments.arguments.prepend(line.interpreter));
        program.name = TRY(String::create(line.interpreter));
        program.file = TRY(open_program(task, task.fs().working_directory(), line.interpreter));
    }
}

// Set-user-ID programs and the capabilities that user 0 gets back, capabilities(7). An unchanged identity gives the
// same object.
Result<RefPtr<security::Credentials>> credentials_after_exec(Task& task, vfs::File& file) {
    const RefPtr<security::Credentials> current = task.credentials();
    security::CredentialValues values = current->values();
    const vfs::Status status = TRY(file.status());
    const bool honoured = !values.no_new_privileges && !vfs::has(file.path().mount->flags(), vfs::MountFlags::NoSetId);
    if (honoured && (status.permissions & vfs::kSetUserId) != 0) {
        values.user_effective = status.user;
    }
    if (honoured && (status.permissions & vfs::kSetGroupId) != 0 && (status.permissions & vfs::kGroupExecute) != 0) {
        values.group_effective = status.group;
    }
    values.user_saved = values.user_filesystem = values.user_effective;
    values.group_saved = values.group_filesystem = values.group_effective;
    if (values.user_effective == 0 || values.user_real == 0) {
        values.permitted.bits = values.inheritable.bits | values.bounding.bits;
        values.effective = values.user_effective == 0 ? values.permitted : security::CapabilitySet{};
    } else {
        values.permitted = values.effective = values.ambient;
    }
    return current->with_values(values);
}

mm::SpaceLimits space_limits(const Process& process) {
    mm::SpaceLimits limits;
    limits.address_space_bytes = process.limit(abi::kRlimitAs).current;
    limits.data_bytes = process.limit(abi::kRlimitData).current;
    limits.stack_bytes = process.limit(abi::kRlimitStack).current;
    return limits;
}

std::string_view base_name(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

struct Prepared {
    Program program;
    ProgramImage image;
    OwnPtr<platform::UserContext> context;
    RefPtr<security::Credentials> credentials;
};

// Everything that can fail while the old program could still be told.
Result<Prepared> prepare(Task& task, Process& process, Program program, ProgramArguments& arguments) {
    Prepared prepared;
    prepared.program = TRY(resolve_scripts(task, std::move(program), arguments));
    vfs::File& file = *prepared.program.file;
    const String interpreter_path = TRY(elf_interpreter(file));
    RefPtr<vfs::File> interpreter;
    if (!interpreter_path.view().empty()) {
        interpreter = TRY(open_program(task, task.fs().working_directory(), interpreter_path.view()));
    }
    prepared.credentials = TRY(credentials_after_exec(task, file));
    prepared.image = TRY(build_program_image({prepared.program.file, interpreter, prepared.program.name.view(),
                                              arguments, *prepared.credentials, space_limits(process)}));
    prepared.context = TRY(platform::UserContext::create(prepared.image.space->page_map(), prepared.image.registers));
    return prepared;
}

void install(Task& task, Process& process, Prepared prepared, std::string_view called_name) {
    const ProgramImage& image = prepared.image;
    process.set_program({prepared.program.file->path(), image.arguments_start, image.arguments_end,
                         image.environment_start, image.environment_end, std::move(prepared.program.write_denial)});
    const RefPtr<mm::AddressSpace> old_space = process.exchange_space(image.space);
    task.replace_program(image.space, std::move(prepared.context));
    task.set_credentials(std::move(prepared.credentials));
    task.set_name(base_name(called_name));
    process.dumpable().store(true);
    process.timers().remove_all();
    process_tree::mark_executed(process);
    release_vfork_parent(process);
}

}  // namespace

Result<RefPtr<vfs::File>> open_program(Task& task, const vfs::Path& start, std::string_view path, bool no_follow) {
    const RefPtr<security::Credentials> credentials = task.credentials();
    const vfs::Path root = task.fs().root();
    const vfs::WalkContext context{root, start, credentials};
    const vfs::WalkFlags flags = no_follow ? vfs::WalkFlags::NoFollow : vfs::WalkFlags::None;
    const vfs::Path place = TRY(vfs::resolve(context, path, flags));
    if (place.inode().is_symlink()) {
        return Error::SymlinkLoop;
    }
    if (!place.inode().is_regular()) {
        return Error::AccessDenied;
    }
    TRY(vfs::check_permission(place, vfs::Wanted::Execute, *credentials));
    // Execute permission is enough to run a file that cannot be read.
    return vfs::open_inode(place.inode(), vfs::OpenRequest{place, vfs::OpenFlags::Read, credentials});
}

Result<> execute(Task& task, RefPtr<vfs::File> file, std::string_view name, ProgramArguments arguments) {
    Process& process = task.process();
    if (arguments.arguments.count() == 0) {
        TRY(arguments.arguments.add(""));  // Linux 5.18: never an empty argv
    }
    const String called_name = TRY(String::create(name));
    Prepared prepared = TRY(prepare(task, process, Program{std::move(file), TRY(String::create(name))}, arguments));
    // A table of its own stays, with the record locks that the process holds by it.
    RefPtr<object::HandleTable> handles;
    if (task.handles().reference_count() > 1) {
        handles = TRY(task.handles().clone());
    }
    RefPtr<SignalActions> actions = TRY(process.actions()->clone());
    TRY(process_tree::become_only_task(task));
    // From here on the old program is gone. Tables that other processes share are left to them.
    actions->reset_for_exec();
    process.set_actions(std::move(actions));
    install(task, process, std::move(prepared), called_name.view());
    // Last, as on Linux: a parent that sees its pipe closed takes the program for executed, and calls setpgid(2), say.
    if (handles && task.handles().reference_count() > 1) {
        task.set_handles(std::move(handles));
    }
    task.handles().close_on_exec();
    return {};
}

}  // namespace kernel::linux_abi
