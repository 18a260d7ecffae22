// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <span>
#include <string_view>

#include "core/mm/address_space.h"
#include "lib/result.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "platform/user_context.h"
#include "services/linux/process.h"
#include "services/security/credentials.h"
#include "services/vfs/file.h"

// From an ELF file to an address space that is ready to run: segments, interpreter, stack. execve(2), elf(5).
namespace kernel::linux_abi {

// Strings one after the other, each with its terminating zero, as they will lie on the stack.
class StringBlock {
public:
    Result<> add(std::string_view text);
    Result<> prepend(std::string_view text);
    // Takes the first string away (a script's own name). No effect when empty.
    void remove_first();
    std::size_t count() const { return count_; }
    std::span<const char> bytes() const { return bytes_.span(); }

private:
    Vector<char> bytes_;
    std::size_t count_ = 0;
};

struct ProgramArguments {
    StringBlock arguments;
    StringBlock environment;
};

// Limits of execve(2), "Limits on size of arguments and environment": a quarter of the stack's limit for everything,
// between these two; MAX_ARG_STRLEN for one string.
inline constexpr std::uint64_t kMinArgumentBytes = 128 * 1024;
inline constexpr std::uint64_t kMaxArgumentBytes = 6 * 1024 * 1024;
inline constexpr std::size_t kMaxArgumentString = 128 * 1024;

struct ProgramImage {
    RefPtr<mm::AddressSpace> space;
    platform::Registers registers{};
    VirtAddr arguments_start{}, arguments_end{}, environment_start{}, environment_end{};
};

struct ImageRequest {
    RefPtr<vfs::File> file;
    RefPtr<vfs::File> interpreter;  // null for a static program
    std::string_view name;          // AT_EXECFN
    const ProgramArguments& arguments;
    const security::Credentials& credentials;
    const mm::SpaceLimits& limits;
};

// The path of the interpreter that an ELF file names; empty when it has none. Errors: NotExecutable, InvalidArgument,
// Io, NoMemory.
Result<String> elf_interpreter(vfs::File& file);

// Errors: NotExecutable (no ELF file for this machine), InvalidArgument, BadLibrary (the interpreter is none),
// NoMemory, ArgumentListTooLong, Io.
Result<ProgramImage> build_program_image(const ImageRequest& request);

}  // namespace kernel::linux_abi
