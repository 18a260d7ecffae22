// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "core/syscall/table.h"
#include "lib/types.h"
#include "lib/user_ptr.h"

// The types that the rows of abi/linux/syscalls.def give their arguments. A type says how a register becomes a value
// (the ABI passes the low 32 bits of an int), how the tracer prints it and what the fuzzer feeds it.
namespace kernel::linux_abi {

enum class Format : std::uint16_t {
    Decimal,
    Unsigned,
    Hex,
    Octal,
    Descriptor,
    DirectoryDescriptor,
    Pointer,
    Path,
    InBytes,
    OutBytes,
    OpenFlags,
    Protection,
    MapFlags,
    CloneFlags,
    Signal,
    Whence,
    FutexOperation,
    AtFlags,
    WaitOptions,
    SigprocmaskHow,
    Ioctl,
    Fcntl,
    Clock,
    Resource,
    AccessMode,
    Length,
};

// A register read as Raw. Tag keeps types with the same Raw and Format apart.
template <class Raw, Format F, syscall::FuzzClass C>
struct Argument {
    using RawType = Raw;
    static constexpr Format kFormat = F;
    static constexpr syscall::FuzzClass kFuzz = C;
    Raw value{};
    constexpr operator Raw() const { return value; }
};

using Fz = syscall::FuzzClass;
using Int = Argument<std::int32_t, Format::Decimal, Fz::Integer>;
using Unsigned = Argument<std::uint32_t, Format::Unsigned, Fz::Integer>;
using Hex = Argument<std::uint64_t, Format::Hex, Fz::Flags>;
using Size = Argument<std::uint64_t, Format::Length, Fz::Length>;
using Offset = Argument<std::int64_t, Format::Decimal, Fz::Integer>;
using Fd = Argument<std::int32_t, Format::Descriptor, Fz::Handle>;
using DirFd = Argument<std::int32_t, Format::DirectoryDescriptor, Fz::Handle>;
using Pid = Argument<std::int32_t, Format::Decimal, Fz::Process>;
using ModeArg = Argument<std::uint32_t, Format::Octal, Fz::Flags>;
using OpenFlagsArg = Argument<std::uint32_t, Format::OpenFlags, Fz::Flags>;
using ProtectionArg = Argument<std::uint32_t, Format::Protection, Fz::Flags>;
using MapFlagsArg = Argument<std::uint32_t, Format::MapFlags, Fz::Flags>;
using CloneFlagsArg = Argument<std::uint64_t, Format::CloneFlags, Fz::Flags>;
using SignalArg = Argument<std::int32_t, Format::Signal, Fz::Signal>;
using WhenceArg = Argument<std::uint32_t, Format::Whence, Fz::SmallInteger>;
using FutexOperationArg = Argument<std::uint32_t, Format::FutexOperation, Fz::SmallInteger>;
using AtFlagsArg = Argument<std::uint32_t, Format::AtFlags, Fz::Flags>;
using WaitOptionsArg = Argument<std::uint32_t, Format::WaitOptions, Fz::Flags>;
using WaitIdTypeArg = Argument<std::uint32_t, Format::Unsigned, Fz::SmallInteger>;
using SigprocmaskHowArg = Argument<std::uint32_t, Format::SigprocmaskHow, Fz::SmallInteger>;
using IoctlArg = Argument<std::uint32_t, Format::Ioctl, Fz::Integer>;
using FcntlArg = Argument<std::uint32_t, Format::Fcntl, Fz::SmallInteger>;
using ClockArg = Argument<std::int32_t, Format::Clock, Fz::SmallInteger>;
using ResourceArg = Argument<std::uint32_t, Format::Resource, Fz::SmallInteger>;
using AccessModeArg = Argument<std::uint32_t, Format::AccessMode, Fz::Flags>;

// A user address of unspecified contents.
template <Format F, syscall::FuzzClass C>
struct AddressArgument {
    static constexpr Format kFormat = F;
    static constexpr syscall::FuzzClass kFuzz = C;
    VirtAddr value{};
    constexpr operator VirtAddr() const { return value; }
    constexpr bool is_null() const { return value.is_null(); }
};
using Address = AddressArgument<Format::Pointer, Fz::Address>;
using PathName = AddressArgument<Format::Path, Fz::Path>;
using InBuffer = AddressArgument<Format::InBytes, Fz::Buffer>;    // its length is the next argument
using OutBuffer = AddressArgument<Format::OutBytes, Fz::Buffer>;  // its length is the next argument

// A pointer to one structure that the call reads or writes.
template <class T>
struct InStruct : UserPtr<T> {};
template <class T>
struct OutStruct : UserPtr<T> {};

struct FdPair {
    std::int32_t first;
    std::int32_t second;
};

template <class T>
struct ArgumentTraits {
    static constexpr syscall::ArgumentType kType{"value", T::kFuzz, static_cast<std::uint16_t>(T::kFormat)};
    static constexpr T from_register(std::uint64_t raw) {
        if constexpr (requires { typename T::RawType; }) {
            return T{static_cast<typename T::RawType>(raw)};
        } else {
            return T{VirtAddr{raw}};
        }
    }
};
template <class T>
struct PointerTraits {
    static constexpr syscall::ArgumentType kType{"pointer", Fz::Address, static_cast<std::uint16_t>(Format::Pointer)};
    static constexpr T from_register(std::uint64_t raw) {
        T pointer{};
        pointer.address = VirtAddr{raw};
        return pointer;
    }
};
template <class T>
struct ArgumentTraits<UserPtr<T>> : PointerTraits<UserPtr<T>> {};
template <class T>
struct ArgumentTraits<InStruct<T>> : PointerTraits<InStruct<T>> {};
template <class T>
struct ArgumentTraits<OutStruct<T>> : PointerTraits<OutStruct<T>> {};

}  // namespace kernel::linux_abi
