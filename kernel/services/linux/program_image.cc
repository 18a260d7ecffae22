// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/program_image.h"

#include <algorithm>
#include <array>

#include "lib/bytes.h"
#include "platform/entropy.h"
#include "services/linux/elf_loader.h"
#include "services/linux/hardware_capabilities.h"
#include "services/linux/vdso.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kStackReserveBytes = 132 * 1024;  // mapped at first; grows down on faults
constexpr std::uint64_t kPieBase = 0x5555'5555'4000;      // two thirds of the address space, as ELF_ET_DYN_BASE
constexpr std::uint64_t kPieRandomPages = 1u << 16;
constexpr std::uint64_t kRandomBytes = 16;  // AT_RANDOM
constexpr std::string_view kPlatformName = "x86_64";

std::uint64_t random_below(std::uint64_t bound) {
    std::uint64_t value = 0;
    platform::fill_random(as_writable_bytes_of(value));
    return value % bound;
}

// Writes downwards from the stack's top.
class StackWriter {
public:
    StackWriter(mm::AddressSpace& space, VirtAddr top) : space_(space), pointer_(top) {}
    VirtAddr pointer() const { return pointer_; }
    Result<> push_bytes(std::span<const std::byte> bytes) {
        pointer_ -= bytes.size();
        return space_.copy_out(pointer_, bytes);
    }
    void align(std::uint64_t alignment) { pointer_ = VirtAddr{align_down(pointer_.value, alignment)}; }

private:
    mm::AddressSpace& space_;
    VirtAddr pointer_;
};

Result<VirtAddr> map_stack(mm::AddressSpace& space) {
    const VirtAddr top = space.stack_top();
    mm::MapRequest request;
    request.address = top - kStackReserveBytes;
    request.bytes = kStackReserveBytes;
    request.access = mm::Access::Read | mm::Access::Write;
    request.fixed = true;
    request.grows_down = true;
    request.kind = mm::RegionKind::Stack;
    TRY(space.map(request));
    return top;
}

Result<> append_pointers(Vector<std::uint64_t>& words, VirtAddr start, std::span<const char> strings) {
    bool at_start = true;
    for (std::size_t i = 0; i < strings.size(); ++i) {
        if (at_start) {
            TRY(words.push_back(start.value + i));
        }
        at_start = strings[i] == '\0';
    }
    return words.push_back(0);
}

struct AuxiliaryInput {
    const ElfFile& elf;
    const LoadedElf& program;
    VirtAddr interpreter_base{};
    VirtAddr vdso{};
    VirtAddr random{}, platform_name{}, file_name{};
    const security::CredentialValues& identity;
};

Result<> append_auxiliary(Vector<std::uint64_t>& words, const AuxiliaryInput& in) {
    const std::array<std::array<std::uint64_t, 2>, 20> entries{{
        {abi::kAtSysinfoEhdr, in.vdso.value},
        {abi::kAtPhdr, in.program.program_headers.value},
        {abi::kAtPhent, sizeof(abi::ElfProgramHeader)},
        {abi::kAtPhnum, in.elf.segments.size()},
        {abi::kAtPagesz, kPageSize},
        {abi::kAtBase, in.interpreter_base.value},
        {abi::kAtFlags, 0},
        {abi::kAtEntry, in.program.entry.value},
        {abi::kAtUid, in.identity.user_real},
        {abi::kAtEuid, in.identity.user_effective},
        {abi::kAtGid, in.identity.group_real},
        {abi::kAtEgid, in.identity.group_effective},
        {abi::kAtSecure, in.identity.user_real != in.identity.user_effective ? 1u : 0u},
        {abi::kAtHwcap, hardware_capabilities()},
        {abi::kAtHwcap2, hardware_capabilities2()},
        {abi::kAtClktck, abi::kClockTicksPerSecond},
        {abi::kAtMinsigstksz, minimum_signal_stack_bytes()},
        {abi::kAtRandom, in.random.value},
        {abi::kAtExecfn, in.file_name.value},
        {abi::kAtPlatform, in.platform_name.value},
    }};
    for (const auto& entry : entries) {
        TRY(words.push_back(entry[0]));
        TRY(words.push_back(entry[1]));
    }
    TRY(words.push_back(abi::kAtNull));
    return words.push_back(0);
}

Result<> push_text(StackWriter& stack, std::string_view text) {
    constexpr char kEnd = '\0';
    TRY(stack.push_bytes(as_bytes_of(kEnd)));
    return stack.push_bytes(std::as_bytes(std::span(text)));
}

// The initial stack, psABI section 3.4.1: strings at the top, then auxiliary vector, environment, arguments, count.
Result<> build_stack(const ImageRequest& request, const ElfFile& elf, const LoadedElf& program,
                     VirtAddr interpreter_base, ProgramImage& image) {
    StackWriter stack(*image.space, TRY(map_stack(*image.space)));
    const VirtAddr vdso = TRY(map_vdso(*image.space));
    stack.align(16);
    TRY(push_text(stack, request.name));
    const VirtAddr file_name = stack.pointer();
    TRY(stack.push_bytes(std::as_bytes(request.arguments.environment.bytes())));
    image.environment_start = stack.pointer();
    image.environment_end = image.environment_start + request.arguments.environment.bytes().size();
    TRY(stack.push_bytes(std::as_bytes(request.arguments.arguments.bytes())));
    image.arguments_start = stack.pointer();
    image.arguments_end = image.environment_start;
    TRY(push_text(stack, kPlatformName));
    const VirtAddr platform_name = stack.pointer();
    std::array<std::byte, kRandomBytes> random;
    platform::fill_random(random);
    TRY(stack.push_bytes(random));
    const VirtAddr random_address = stack.pointer();

    Vector<std::uint64_t> words;
    TRY(words.push_back(request.arguments.arguments.count()));
    TRY(append_pointers(words, image.arguments_start, request.arguments.arguments.bytes()));
    TRY(append_pointers(words, image.environment_start, request.arguments.environment.bytes()));
    TRY(append_auxiliary(words, {elf, program, interpreter_base, vdso, random_address, platform_name, file_name,
                                 request.credentials.values()}));
    stack.align(16);
    if (words.size() % 2 != 0) {
        constexpr std::uint64_t kPadding = 0;
        TRY(stack.push_bytes(as_bytes_of(kPadding)));
    }
    TRY(stack.push_bytes(std::as_bytes(words.span())));
    image.registers.rsp = stack.pointer().value;
    return {};
}

// What a program uses first: all of small data segments, which it writes to, and the beginning of the others.
void prefault(mm::AddressSpace& space, const ElfFile& elf, const LoadedElf& loaded) {
    constexpr std::uint64_t kMostBytes = 16 * kPageSize;
    for (const abi::ElfProgramHeader& s : elf.segments) {
        if (s.type != abi::kPtLoad || s.memory_bytes == 0) {
            continue;
        }
        const bool writable = (s.flags & abi::kPfW) != 0;
        space.prefault(loaded.bias + s.virtual_address,
                       writable ? std::min<std::uint64_t>(s.memory_bytes, kMostBytes) : 1,
                       writable ? mm::Access::Write : mm::Access::Read);
    }
}

}  // namespace

Result<> StringBlock::add(std::string_view text) {
    TRY(bytes_.reserve(bytes_.size() + text.size() + 1));
    for (const char c : text) {
        TRY(bytes_.push_back(c));
    }
    TRY(bytes_.push_back('\0'));
    ++count_;
    return {};
}

Result<> StringBlock::prepend(std::string_view text) {
    StringBlock fresh;
    TRY(fresh.add(text));
    for (const char c : bytes_) {
        TRY(fresh.bytes_.push_back(c));
    }
    fresh.count_ = count_ + 1;
    *this = std::move(fresh);
    return {};
}

void StringBlock::remove_first() {
    if (count_ == 0) {
        return;
    }
    const auto end = std::find(bytes_.begin(), bytes_.end(), '\0');
    const std::size_t length = static_cast<std::size_t>(end - bytes_.begin()) + 1;
    std::copy(bytes_.begin() + length, bytes_.end(), bytes_.begin());
    for (std::size_t i = 0; i < length; ++i) {
        bytes_.pop_back();
    }
    --count_;
}

Result<String> elf_interpreter(vfs::File& file) {
    const ElfFile elf = TRY(read_elf(file));
    const abi::ElfProgramHeader* segment = elf.find(abi::kPtInterp);
    if (segment == nullptr) {
        return String();
    }
    if (segment->file_bytes < 2 || segment->file_bytes > vfs::kMaxPathBytes) {
        return Error::NotExecutable;
    }
    Vector<char> path;
    TRY(path.resize(segment->file_bytes));
    TRY(read_exactly(file, segment->offset, std::as_writable_bytes(path.span())));
    if (path[path.size() - 1] != '\0') {
        return Error::NotExecutable;
    }
    return String::create(std::string_view(path.data()));
}

Result<ProgramImage> build_program_image(const ImageRequest& request) {
    ProgramImage image;
    image.space = TRY(mm::AddressSpace::create());
    image.space->set_limits(request.limits);
    const ElfFile elf = TRY(read_elf(*request.file));
    const VirtAddr place{elf.is_position_independent() ? kPieBase + random_below(kPieRandomPages) * kPageSize : 0};
    const LoadedElf program = TRY(load_elf(*image.space, request.file, elf, place));
    image.registers.rip = program.entry.value;
    VirtAddr interpreter_base{};
    if (request.interpreter) {
        const Result<ElfFile> interpreter = read_elf(*request.interpreter);
        if (!interpreter) {
            return interpreter.error() == Error::NotExecutable ? Error::BadLibrary : interpreter.error();
        }
        const LoadedElf loaded = TRY(load_elf(*image.space, request.interpreter, *interpreter, VirtAddr{}));
        prefault(*image.space, *interpreter, loaded);
        interpreter_base = loaded.bias;
        image.registers.rip = loaded.entry.value;
    }
    image.space->initialize_break(program.end.page_up() + random_below(1u << 13) * kPageSize);
    TRY(build_stack(request, elf, program, interpreter_base, image));
    prefault(*image.space, elf, program);
    image.space->prefault(VirtAddr{image.registers.rip}, 1, mm::Access::Execute);
    image.space->prefault(VirtAddr{image.registers.rsp}, 1, mm::Access::Write);
    constexpr std::uint64_t kInitialFlags = 0x202;  // interrupts on, and the bit that is always set
    image.registers.rflags = kInitialFlags;
    return image;
}

}  // namespace kernel::linux_abi
