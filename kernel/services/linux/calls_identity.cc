// SPDX-License-Identifier: MIT OR Apache-2.0
// Process ids, groups, sessions and credentials: getpid(2), setpgid(2), setuid(2) and their like; credentials(7).
#include "lib/vector.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

using security::Capability;
using security::CredentialValues;

constexpr std::uint32_t kKeep = UINT32_MAX;  // -1: leave this id as it is

std::uint32_t id_of(Int value) {
    return static_cast<std::uint32_t>(value.value);
}

Result<RefPtr<Process>> process_or_self(Task& task, int pid) {
    if (pid == 0) {
        return RefPtr<Process>(task.process());
    }
    RefPtr<Process> process = process_tree::find_process(pid);
    if (!process) {
        return Error::NoSuchProcess;
    }
    return process;
}

// capabilities(7), "Effect of user ID changes on capabilities".
void adjust_capabilities(const CredentialValues& old, CredentialValues& fresh) {
    const auto any_root = [](const CredentialValues& v) {
        return v.user_real == 0 || v.user_effective == 0 || v.user_saved == 0;
    };
    if (any_root(old) && !any_root(fresh)) {
        fresh.permitted = {};
        fresh.effective = {};
        fresh.ambient = {};
    }
    if (old.user_effective == 0 && fresh.user_effective != 0) {
        fresh.effective = {};
    }
    if (old.user_effective != 0 && fresh.user_effective == 0) {
        fresh.effective = fresh.permitted;
    }
}

Result<> install(Task& task, CredentialValues fresh) {
    const RefPtr<security::Credentials> current = task.credentials();
    fresh.user_filesystem = fresh.user_effective;
    fresh.group_filesystem = fresh.group_effective;
    adjust_capabilities(current->values(), fresh);
    task.set_credentials(TRY(current->with_values(fresh)));
    return {};
}

// The three ids of a user or group, and how to change them alike.
struct Triple {
    std::uint32_t& real;
    std::uint32_t& effective;
    std::uint32_t& saved;
    bool has(std::uint32_t id) const { return id == kKeep || id == real || id == effective || id == saved; }
};
Triple users(CredentialValues& v) {
    return {v.user_real, v.user_effective, v.user_saved};
}
Triple groups(CredentialValues& v) {
    return {v.group_real, v.group_effective, v.group_saved};
}

using Select = Triple (*)(CredentialValues&);

// setuid(2), setgid(2).
Result<std::int64_t> set_one(Task& task, std::uint32_t id, Select select, Capability capability) {
    if (id == kKeep) {
        return Error::InvalidArgument;
    }
    CredentialValues values = task.credentials()->values();
    const Triple ids = select(values);
    if (task.credentials()->capable(capability)) {
        ids.real = ids.saved = id;
    } else if (id != ids.real && id != ids.saved) {
        return Error::NotPermitted;
    }
    ids.effective = id;
    TRY(install(task, values));
    return 0;
}

// setreuid(2), setregid(2).
Result<std::int64_t> set_two(Task& task, std::uint32_t real, std::uint32_t effective, Select select,
                             Capability capability) {
    CredentialValues values = task.credentials()->values();
    const Triple ids = select(values);
    if (!task.credentials()->capable(capability)) {
        if (real != kKeep && real != ids.real && real != ids.effective) {
            return Error::NotPermitted;
        }
        if (!ids.has(effective)) {
            return Error::NotPermitted;
        }
    }
    const std::uint32_t old_real = ids.real;
    if (real != kKeep) {
        ids.real = real;
    }
    if (effective != kKeep) {
        ids.effective = effective;
    }
    if (real != kKeep || (effective != kKeep && effective != old_real)) {
        ids.saved = ids.effective;
    }
    TRY(install(task, values));
    return 0;
}

// setresuid(2), setresgid(2).
Result<std::int64_t> set_three(Task& task, std::uint32_t real, std::uint32_t effective, std::uint32_t saved,
                               Select select, Capability capability) {
    CredentialValues values = task.credentials()->values();
    const Triple ids = select(values);
    if (!task.credentials()->capable(capability) && !(ids.has(real) && ids.has(effective) && ids.has(saved))) {
        return Error::NotPermitted;
    }
    if (real != kKeep) {
        ids.real = real;
    }
    if (effective != kKeep) {
        ids.effective = effective;
    }
    if (saved != kKeep) {
        ids.saved = saved;
    }
    TRY(install(task, values));
    return 0;
}

Result<std::int64_t> get_three(Task& task, Select select, UserPtr<std::uint32_t> real, UserPtr<std::uint32_t> effective,
                               UserPtr<std::uint32_t> saved) {
    CredentialValues values = task.credentials()->values();
    const Triple ids = select(values);
    TRY(task.space().write_user(real, ids.real));
    TRY(task.space().write_user(effective, ids.effective));
    TRY(task.space().write_user(saved, ids.saved));
    return 0;
}

}  // namespace

Result<std::int64_t> sys_getpid(Task& task) {
    return task.process().pid();
}
Result<std::int64_t> sys_gettid(Task& task) {
    return task.tid();
}
Result<std::int64_t> sys_getppid(Task& task) {
    return process_tree::parent_pid(task.process());
}
Result<std::int64_t> sys_getpgrp(Task& task) {
    return process_tree::group_of(task.process());
}
Result<std::int64_t> sys_getuid(Task& task) {
    return task.credentials()->values().user_real;
}
Result<std::int64_t> sys_geteuid(Task& task) {
    return task.credentials()->values().user_effective;
}
Result<std::int64_t> sys_getgid(Task& task) {
    return task.credentials()->values().group_real;
}
Result<std::int64_t> sys_getegid(Task& task) {
    return task.credentials()->values().group_effective;
}

Result<std::int64_t> sys_getpgid(Task& task, Pid pid) {
    return process_tree::group_of(*TRY(process_or_self(task, pid)));
}
Result<std::int64_t> sys_getsid(Task& task, Pid pid) {
    return process_tree::session_of(*TRY(process_or_self(task, pid)));
}

Result<std::int64_t> sys_setpgid(Task& task, Pid pid, Pid group) {
    if (group < 0) {
        return Error::InvalidArgument;
    }
    if (pid < 0) {
        return Error::NoSuchProcess;
    }
    TRY(process_tree::set_group(task.process(), pid, group));
    return 0;
}

Result<std::int64_t> sys_setsid(Task& task) {
    return TRY(process_tree::start_session(task.process()));
}

Result<std::int64_t> sys_setuid(Task& task, Int uid) {
    return set_one(task, id_of(uid), users, Capability::SetUid);
}
Result<std::int64_t> sys_setgid(Task& task, Int gid) {
    return set_one(task, id_of(gid), groups, Capability::SetGid);
}
Result<std::int64_t> sys_setreuid(Task& task, Int real, Int effective) {
    return set_two(task, id_of(real), id_of(effective), users, Capability::SetUid);
}
Result<std::int64_t> sys_setregid(Task& task, Int real, Int effective) {
    return set_two(task, id_of(real), id_of(effective), groups, Capability::SetGid);
}
Result<std::int64_t> sys_setresuid(Task& task, Int real, Int effective, Int saved) {
    return set_three(task, id_of(real), id_of(effective), id_of(saved), users, Capability::SetUid);
}
Result<std::int64_t> sys_setresgid(Task& task, Int real, Int effective, Int saved) {
    return set_three(task, id_of(real), id_of(effective), id_of(saved), groups, Capability::SetGid);
}
Result<std::int64_t> sys_getresuid(Task& task, UserPtr<std::uint32_t> real, UserPtr<std::uint32_t> effective,
                                   UserPtr<std::uint32_t> saved) {
    return get_three(task, users, real, effective, saved);
}
Result<std::int64_t> sys_getresgid(Task& task, UserPtr<std::uint32_t> real, UserPtr<std::uint32_t> effective,
                                   UserPtr<std::uint32_t> saved) {
    return get_three(task, groups, real, effective, saved);
}

Result<std::int64_t> sys_getgroups(Task& task, Int count, Address list) {
    const RefPtr<security::Credentials> credentials = task.credentials();
    const std::span<const std::uint32_t> groups_now = credentials->groups();
    if (count < 0) {
        return Error::InvalidArgument;
    }
    if (count != 0) {
        if (static_cast<std::size_t>(count) < groups_now.size()) {
            return Error::InvalidArgument;
        }
        TRY(task.space().copy_out(list, std::as_bytes(groups_now)));
    }
    return static_cast<std::int64_t>(groups_now.size());
}

Result<std::int64_t> sys_setgroups(Task& task, Int count, Address list) {
    const RefPtr<security::Credentials> credentials = task.credentials();
    if (!credentials->capable(Capability::SetGid)) {
        return Error::NotPermitted;
    }
    if (count < 0 || static_cast<std::size_t>(count) > security::kMaxGroups) {
        return Error::InvalidArgument;
    }
    Vector<std::uint32_t> fresh;
    TRY(fresh.resize(static_cast<std::size_t>(count)));
    TRY(task.space().copy_in(std::as_writable_bytes(fresh.span()), list));
    task.set_credentials(TRY(security::Credentials::create(credentials->values(), fresh.span())));
    return 0;
}

}  // namespace kernel::linux_abi
