// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/trace_arguments.h"

#include <algorithm>
#include <array>
#include <span>

#include "abi/linux/fs.h"
#include "abi/linux/mman.h"
#include "abi/linux/process.h"
#include "abi/linux/signal.h"
#include "abi/linux/tty.h"
#include "services/linux/arguments.h"

namespace kernel::linux_abi {
namespace {

struct Name {
    std::uint64_t value;
    std::string_view text;
};

constexpr Name kOpenNames[] = {
    {abi::kOTmpfile & ~abi::kODirectory, "O_TMPFILE"},
    {abi::kOCreat, "O_CREAT"},
    {abi::kOExcl, "O_EXCL"},
    {abi::kONoctty, "O_NOCTTY"},
    {abi::kOTrunc, "O_TRUNC"},
    {abi::kOAppend, "O_APPEND"},
    {abi::kONonblock, "O_NONBLOCK"},
    {abi::kOSync, "O_SYNC"},
    {abi::kODsync, "O_DSYNC"},
    {abi::kODirect, "O_DIRECT"},
    {abi::kOLargefile, "O_LARGEFILE"},
    {abi::kODirectory, "O_DIRECTORY"},
    {abi::kONofollow, "O_NOFOLLOW"},
    {abi::kONoatime, "O_NOATIME"},
    {abi::kOCloexec, "O_CLOEXEC"},
    {abi::kOPath, "O_PATH"},
};
constexpr Name kProtectionNames[] = {
    {abi::kProtRead, "PROT_READ"}, {abi::kProtWrite, "PROT_WRITE"}, {abi::kProtExec, "PROT_EXEC"}};
constexpr Name kMapNames[] = {
    {abi::kMapFixed, "MAP_FIXED"},
    {abi::kMapAnonymous, "MAP_ANONYMOUS"},
    {abi::kMapGrowsdown, "MAP_GROWSDOWN"},
    {abi::kMapDenywrite, "MAP_DENYWRITE"},
    {abi::kMapNoreserve, "MAP_NORESERVE"},
    {abi::kMapPopulate, "MAP_POPULATE"},
    {abi::kMapStack, "MAP_STACK"},
    {abi::kMapLocked, "MAP_LOCKED"},
    {abi::kMapFixedNoreplace, "MAP_FIXED_NOREPLACE"},
};
constexpr Name kCloneNames[] = {
    {abi::kCloneVm, "CLONE_VM"},
    {abi::kCloneFs, "CLONE_FS"},
    {abi::kCloneFiles, "CLONE_FILES"},
    {abi::kCloneSighand, "CLONE_SIGHAND"},
    {abi::kCloneVfork, "CLONE_VFORK"},
    {abi::kCloneThread, "CLONE_THREAD"},
    {abi::kCloneSysvsem, "CLONE_SYSVSEM"},
    {abi::kCloneSettls, "CLONE_SETTLS"},
    {abi::kCloneParentSettid, "CLONE_PARENT_SETTID"},
    {abi::kCloneChildCleartid, "CLONE_CHILD_CLEARTID"},
    {abi::kCloneChildSettid, "CLONE_CHILD_SETTID"},
};
constexpr Name kAtNames[] = {{abi::kAtSymlinkNofollow, "AT_SYMLINK_NOFOLLOW"},
                             {abi::kAtRemovedir, "AT_REMOVEDIR"},
                             {abi::kAtSymlinkFollow, "AT_SYMLINK_FOLLOW"},
                             {abi::kAtEmptyPath, "AT_EMPTY_PATH"}};
constexpr Name kWaitNames[] = {{abi::kWnohang, "WNOHANG"},
                               {abi::kWuntraced, "WUNTRACED"},
                               {abi::kWexited, "WEXITED"},
                               {abi::kWcontinued, "WCONTINUED"},
                               {abi::kWnowait, "WNOWAIT"}};
constexpr Name kAccessNames[] = {{abi::kROk, "R_OK"}, {abi::kWOk, "W_OK"}, {abi::kXOk, "X_OK"}};
constexpr std::string_view kSignalNames[] = {
    "0",         "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
    "SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
    "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
    "SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};
constexpr std::string_view kWhenceNames[] = {"SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_DATA", "SEEK_HOLE"};
constexpr std::string_view kMaskHowNames[] = {"SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"};
constexpr std::string_view kFutexNames[] = {
    "FUTEX_WAIT",    "FUTEX_WAKE",      "FUTEX_FD",         "FUTEX_REQUEUE",     "FUTEX_CMP_REQUEUE", "FUTEX_WAKE_OP",
    "FUTEX_LOCK_PI", "FUTEX_UNLOCK_PI", "FUTEX_TRYLOCK_PI", "FUTEX_WAIT_BITSET", "FUTEX_WAKE_BITSET"};
constexpr std::string_view kClockNames[] = {
    "CLOCK_REALTIME",      "CLOCK_MONOTONIC",       "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID",
    "CLOCK_MONOTONIC_RAW", "CLOCK_REALTIME_COARSE", "CLOCK_MONOTONIC_COARSE",   "CLOCK_BOOTTIME"};
constexpr std::string_view kResourceNames[] = {"RLIMIT_CPU",      "RLIMIT_FSIZE", "RLIMIT_DATA",   "RLIMIT_STACK",
                                               "RLIMIT_CORE",     "RLIMIT_RSS",   "RLIMIT_NPROC",  "RLIMIT_NOFILE",
                                               "RLIMIT_MEMLOCK",  "RLIMIT_AS",    "RLIMIT_LOCKS",  "RLIMIT_SIGPENDING",
                                               "RLIMIT_MSGQUEUE", "RLIMIT_NICE",  "RLIMIT_RTPRIO", "RLIMIT_RTTIME"};
constexpr Name kFcntlNames[] = {
    {abi::kFDupfd, "F_DUPFD"},          {abi::kFGetfd, "F_GETFD"},         {abi::kFSetfd, "F_SETFD"},
    {abi::kFGetfl, "F_GETFL"},          {abi::kFSetfl, "F_SETFL"},         {abi::kFGetlk, "F_GETLK"},
    {abi::kFSetlk, "F_SETLK"},          {abi::kFSetlkw, "F_SETLKW"},       {abi::kFDupfdCloexec, "F_DUPFD_CLOEXEC"},
    {abi::kFSetpipeSz, "F_SETPIPE_SZ"}, {abi::kFGetpipeSz, "F_GETPIPE_SZ"}};
constexpr Name kIoctlNames[] = {
    {abi::kTcgets, "TCGETS"},         {abi::kTcsets, "TCSETS"},         {abi::kTcsetsw, "TCSETSW"},
    {abi::kTcsetsf, "TCSETSF"},       {abi::kTiocgpgrp, "TIOCGPGRP"},   {abi::kTiocspgrp, "TIOCSPGRP"},
    {abi::kTiocgwinsz, "TIOCGWINSZ"}, {abi::kTiocswinsz, "TIOCSWINSZ"}, {abi::kTiocsctty, "TIOCSCTTY"},
    {abi::kFionread, "FIONREAD"},     {abi::kFionbio, "FIONBIO"}};

void print_flags(FormatBuffer& line, std::uint64_t value, std::span<const Name> names, std::string_view zero) {
    if (value == 0) {
        line.put(zero);
        return;
    }
    bool first = true;
    for (const Name& name : names) {
        if ((value & name.value) != name.value) {
            continue;
        }
        if (!std::exchange(first, false)) {
            line.put('|');
        }
        line.put(name.text);
        value &= ~name.value;
    }
    if (value == 0) {
        return;
    }
    if (!first) {
        line.put('|');
    }
    format_to(line, "{:#x}", value);
}

void print_open_flags(FormatBuffer& line, std::uint64_t value) {
    constexpr std::string_view kModes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
    line.put(kModes[value & abi::kOAccmode]);
    if ((value & ~std::uint64_t{abi::kOAccmode}) == 0) {
        return;
    }
    line.put('|');
    print_flags(line, value & ~std::uint64_t{abi::kOAccmode}, kOpenNames, "");
}

void print_map_flags(FormatBuffer& line, std::uint64_t value) {
    constexpr std::string_view kTypes[] = {"0", "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE"};
    line.put((value & abi::kMapType) < std::size(kTypes) ? kTypes[value & abi::kMapType] : "MAP_???");
    if ((value & ~std::uint64_t{abi::kMapType}) == 0) {
        return;
    }
    line.put('|');
    print_flags(line, value & ~std::uint64_t{abi::kMapType}, kMapNames, "");
}

void print_indexed(FormatBuffer& line, std::uint64_t value, std::span<const std::string_view> names) {
    if (value < names.size()) {
        line.put(names[value]);
    } else {
        format_to(line, "{:#x}", value);
    }
}

void print_named(FormatBuffer& line, std::uint64_t value, std::span<const Name> names) {
    const auto found = std::ranges::find(names, value, &Name::value);
    if (found != names.end()) {
        line.put(found->text);
    } else {
        format_to(line, "{:#x}", value);
    }
}

void print_signal(FormatBuffer& line, std::uint64_t value) {
    if (value < std::size(kSignalNames)) {
        line.put(kSignalNames[value]);
    } else if (value >= abi::kSigrtmin && value <= abi::kSignalCount) {
        format_to(line, "SIGRT_{}", value - abi::kSigrtmin);
    } else {
        format_to(line, "{}", static_cast<std::int32_t>(value));
    }
}

void print_escaped(FormatBuffer& line, std::string_view text) {
    line.put('"');
    for (const char c : text) {
        switch (c) {
            case '\n':
                line.put("\\n");
                break;
            case '\t':
                line.put("\\t");
                break;
            case '\r':
                line.put("\\r");
                break;
            case '"':
                line.put("\\\"");
                break;
            case '\\':
                line.put("\\\\");
                break;
            default:
                if (c >= ' ' && c < 0x7f) {
                    line.put(c);
                } else {
                    format_to(line, "\\{:o}", static_cast<unsigned>(static_cast<unsigned char>(c)));
                }
        }
    }
    line.put('"');
}

constexpr std::size_t kShownBytes = 32;  // as strace
constexpr std::size_t kShownPathBytes = 256;

void print_pointer(FormatBuffer& line, VirtAddr address) {
    if (address.is_null()) {
        line.put("NULL");
    } else {
        format_to(line, "{:#x}", address.value);
    }
}

void print_path(FormatBuffer& line, Task& task, VirtAddr address) {
    std::array<char, kShownPathBytes> text{};
    const Result<std::size_t> size = task.space().copy_in_string(address, text);
    if (size) {
        print_escaped(line, std::string_view(text.data(), *size));
    } else if (size.error() == Error::NameTooLong) {
        print_escaped(line, std::string_view(text.data(), kShownBytes));
        line.put("...");
    } else {
        print_pointer(line, address);
    }
}

void print_bytes(FormatBuffer& line, Task& task, VirtAddr address, std::uint64_t size) {
    std::array<char, kShownBytes> text{};
    const std::size_t shown = std::min<std::uint64_t>(size, text.size());
    if (task.space().copy_in_some(std::as_writable_bytes(std::span(text).first(shown)), address) != shown) {
        print_pointer(line, address);
        return;
    }
    print_escaped(line, std::string_view(text.data(), shown));
    if (size > shown) {
        line.put("...");
    }
}

void print_futex_operation(FormatBuffer& line, std::uint64_t value) {
    print_indexed(line, value & abi::kFutexCommandMask, kFutexNames);
    if ((value & abi::kFutexPrivateFlag) != 0) {
        line.put("_PRIVATE");
    }
    if ((value & abi::kFutexClockRealtime) != 0) {
        line.put("|FUTEX_CLOCK_REALTIME");
    }
}

}  // namespace

void print_argument(FormatBuffer& line, Task& task, const syscall::Row& row, std::size_t index,
                    const platform::SyscallFrame& frame, std::int64_t result) {
    const std::uint64_t value = frame.arguments[index];
    const std::uint64_t low = static_cast<std::uint32_t>(value);
    const auto as_int = static_cast<std::int32_t>(value);
    const std::uint64_t next = index + 1 < frame.arguments.size() ? frame.arguments[index + 1] : 0;
    switch (static_cast<Format>(row.arguments[index].type->format)) {
        case Format::Decimal:
        case Format::Descriptor:
            format_to(line, "{}", as_int);
            break;
        case Format::DirectoryDescriptor:
            if (as_int == abi::kAtFdcwd) {
                line.put("AT_FDCWD");
            } else {
                format_to(line, "{}", as_int);
            }
            break;
        case Format::Unsigned:
            format_to(line, "{}", low);
            break;
        case Format::Length:
            format_to(line, "{}", value);
            break;
        case Format::Hex:
            format_to(line, "{:#x}", value);
            break;
        case Format::Octal:
            format_to(line, "0{:o}", low);
            break;
        case Format::Pointer:
            print_pointer(line, VirtAddr{value});
            break;
        case Format::Path:
            print_path(line, task, VirtAddr{value});
            break;
        case Format::InBytes:
            print_bytes(line, task, VirtAddr{value}, next);
            break;
        case Format::OutBytes:
            if (result > 0) {
                print_bytes(line, task, VirtAddr{value}, static_cast<std::uint64_t>(result));
            } else {
                print_pointer(line, VirtAddr{value});
            }
            break;
        case Format::OpenFlags:
            print_open_flags(line, low);
            break;
        case Format::Protection:
            print_flags(line, low, kProtectionNames, "PROT_NONE");
            break;
        case Format::MapFlags:
            print_map_flags(line, low);
            break;
        case Format::CloneFlags:
            print_flags(line, value & ~std::uint64_t{abi::kCloneSignalMask}, kCloneNames, "0");
            line.put('|');
            print_signal(line, value & abi::kCloneSignalMask);
            break;
        case Format::Signal:
            print_signal(line, low);
            break;
        case Format::Whence:
            print_indexed(line, low, kWhenceNames);
            break;
        case Format::FutexOperation:
            print_futex_operation(line, low);
            break;
        case Format::AtFlags:
            print_flags(line, low, kAtNames, "0");
            break;
        case Format::WaitOptions:
            print_flags(line, low, kWaitNames, "0");
            break;
        case Format::SigprocmaskHow:
            print_indexed(line, low, kMaskHowNames);
            break;
        case Format::Ioctl:
            print_named(line, low, kIoctlNames);
            break;
        case Format::Fcntl:
            print_named(line, low, kFcntlNames);
            break;
        case Format::Clock:
            print_indexed(line, low, kClockNames);
            break;
        case Format::Resource:
            print_indexed(line, low, kResourceNames);
            break;
        case Format::AccessMode:
            print_flags(line, low, kAccessNames, "F_OK");
            break;
    }
}

bool returns_address(std::string_view call) {
    return call == "mmap" || call == "brk" || call == "mremap";
}

}  // namespace kernel::linux_abi
