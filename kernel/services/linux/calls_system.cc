// SPDX-License-Identifier: MIT OR Apache-2.0
// About the system and the calling thread: uname(2), sysinfo(2), getrandom(2), prctl(2), arch_prctl(2), personality(2).
#include <algorithm>
#include <array>

#include "core/mm/frame_allocator.h"
#include "core/mm/io_buffer.h"
#include "lib/scope_guard.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"
#include "services/linux/system_identity.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

template <std::size_t N>
void put(char (&field)[N], std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), N - 1), field);
}

Result<std::int64_t> set_name(Task& task, VirtAddr address) {
    TaskName name{};
    const Result<std::size_t> length = task.space().copy_in_string(address, name);
    if (!length && length.error() != Error::NameTooLong) {
        return length.error();
    }
    name.back() = '\0';
    task.set_name(std::string_view(name.data()));
    return 0;
}

Result<std::int64_t> get_name(Task& task, VirtAddr address) {
    const TaskName name = task.name();
    TRY(task.space().copy_out(address, std::as_bytes(std::span(name))));
    return 0;
}

Result<std::int64_t> set_no_new_privileges(Task& task) {
    const RefPtr<security::Credentials> current = task.credentials();
    security::CredentialValues values = current->values();
    values.no_new_privileges = true;
    task.set_credentials(TRY(current->with_values(values)));
    return 0;
}

}  // namespace

Result<std::int64_t> sys_uname(Task& task, OutStruct<abi::Utsname> name) {
    abi::Utsname result{};
    put(result.sysname, kSystemName);
    put(result.nodename, host_name().view());
    put(result.release, kRelease);
    put(result.version, kVersion);
    put(result.machine, kMachine);
    put(result.domainname, domain_name().view());
    TRY(task.space().write_user(UserPtr<abi::Utsname>(name), result));
    return 0;
}

Result<std::int64_t> sys_sysinfo(Task& task, OutStruct<abi::Sysinfo> info) {
    const mm::FrameStatistics memory = mm::frame_statistics(platform::FrameZone::User);
    abi::Sysinfo result{};
    result.uptime_seconds = static_cast<std::int64_t>(platform::monotonic_ns() / 1'000'000'000);
    result.total_ram = memory.total * kPageSize;
    result.free_ram = memory.free * kPageSize;
    result.processes = static_cast<std::uint16_t>(process_tree::task_count());
    result.memory_unit = 1;
    TRY(task.space().write_user(UserPtr<abi::Sysinfo>(info), result));
    return 0;
}

Result<std::int64_t> sys_getrandom(Task& task, OutBuffer buffer, Size size, Hex flags) {
    constexpr std::uint64_t kNonBlock = 1, kRandom = 2, kInsecure = 4;
    if ((flags & ~(kNonBlock | kRandom | kInsecure)) != 0 || (flags & (kRandom | kInsecure)) == (kRandom | kInsecure)) {
        return Error::InvalidArgument;
    }
    constexpr std::uint64_t kMaxBytes = INT32_MAX;
    mm::IoBuffer target(task.space(), buffer, std::min<std::uint64_t>(size, kMaxBytes));
    std::array<std::byte, 256> chunk;
    while (target.remaining() != 0) {
        const std::span<std::byte> part =
            std::span(chunk).first(std::min<std::uint64_t>(target.remaining(), chunk.size()));
        platform::fill_random(part);
        const Result<std::size_t> copied = target.copy_from(part);
        if (!copied && target.done() == 0) {
            return copied.error();
        }
        if (!copied || *copied < part.size()) {
            break;
        }
    }
    return static_cast<std::int64_t>(target.done());
}

Result<std::int64_t> sys_prctl(Task& task, Int option, Hex argument2, Hex argument3, Hex argument4, Hex argument5) {
    const VirtAddr address{argument2};
    Process& process = task.process();
    switch (option) {
        case abi::kPrSetName:
            return set_name(task, address);
        case abi::kPrGetName:
            return get_name(task, address);
        case abi::kPrSetPdeathsig:
            if (argument2 > static_cast<std::uint64_t>(abi::kSignalCount)) {
                return Error::InvalidArgument;
            }
            process.parent_death_signal().store(static_cast<int>(argument2.value));
            return 0;
        case abi::kPrGetPdeathsig:
            TRY(task.space().write_user(UserPtr<std::int32_t>{address}, process.parent_death_signal().load()));
            return 0;
        case abi::kPrGetDumpable:
            return process.dumpable().load() ? 1 : 0;
        case abi::kPrSetDumpable:
            if (argument2 > 1) {
                return Error::InvalidArgument;
            }
            process.dumpable().store(argument2 == 1);
            return 0;
        case abi::kPrSetNoNewPrivs:
            if (argument2 != 1 || argument3 != 0 || argument4 != 0 || argument5 != 0) {
                return Error::InvalidArgument;
            }
            return set_no_new_privileges(task);
        case abi::kPrGetNoNewPrivs:
            if (argument2 != 0 || argument3 != 0 || argument4 != 0 || argument5 != 0) {
                return Error::InvalidArgument;
            }
            return task.credentials()->values().no_new_privileges ? 1 : 0;
        case abi::kPrGetSeccomp:
            return 0;
        case abi::kPrCapbsetRead:
            if (argument2 >= security::kCapabilityCount) {
                return Error::InvalidArgument;
            }
            return (task.credentials()->values().bounding.bits >> argument2 & 1) != 0 ? 1 : 0;
        default:
            return Error::InvalidArgument;
    }
}

Result<std::int64_t> sys_arch_prctl(Task& task, Hex code, Address address) {
    platform::Registers& registers = *TRY(task.context().registers());
    switch (code) {
        case abi::kArchSetFs:
            if (address.value >= platform::kUserMax) {
                return Error::NotPermitted;
            }
            registers.fs_base = address.value.value;
            return 0;
        case abi::kArchSetGs:
            if (address.value >= platform::kUserMax) {
                return Error::NotPermitted;
            }
            registers.gs_base = address.value.value;
            return 0;
        case abi::kArchGetFs:
            TRY(task.space().write_user(UserPtr<std::uint64_t>{address.value}, registers.fs_base));
            return 0;
        case abi::kArchGetGs:
            TRY(task.space().write_user(UserPtr<std::uint64_t>{address.value}, registers.gs_base));
            return 0;
        default:
            return Error::InvalidArgument;
    }
}

// What programs ask for, no randomised addresses, is a wish; nothing here depends on the persona.
Result<std::int64_t> sys_personality(Task& task, Hex persona) {
    constexpr std::uint32_t kQuery = UINT32_MAX;
    const auto wanted = static_cast<std::uint32_t>(persona.value);
    std::atomic<std::uint32_t>& own = task.process().persona();
    return wanted == kQuery ? own.load() : own.exchange(wanted);
}

namespace {

Result<ChangeableName> name_argument(Task& task, VirtAddr address, std::int32_t length) {
    if (!task.credentials()->capable(security::Capability::SysAdmin)) {
        return Error::NotPermitted;
    }
    if (length < 0 || static_cast<std::size_t>(length) > kMaxSystemNameBytes) {
        return Error::InvalidArgument;
    }
    std::array<char, kMaxSystemNameBytes> text;
    const std::span<char> part = std::span(text).first(static_cast<std::size_t>(length));
    TRY(task.space().copy_in(std::as_writable_bytes(part), address));
    const std::string_view view(part.data(), part.size());
    return ChangeableName::truncated(view.substr(0, view.find('\0')));
}

}  // namespace

Result<std::int64_t> sys_sethostname(Task& task, Address name, Int length) {
    set_host_name(TRY(name_argument(task, name, length)));
    return 0;
}

Result<std::int64_t> sys_setdomainname(Task& task, Address name, Int length) {
    set_domain_name(TRY(name_argument(task, name, length)));
    return 0;
}

}  // namespace kernel::linux_abi
