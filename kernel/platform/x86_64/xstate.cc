// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/xstate.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/bytes.h"
#include "lib/heap.h"
#include "platform/user_context.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint64_t kX87 = 1u << 0;
constexpr std::uint64_t kSse = 1u << 1;
constexpr std::uint64_t kAvx = 1u << 2;
constexpr std::uint64_t kAvx512 = 7u << 5;  // opmask, upper halves, upper registers: all or none
constexpr std::uint64_t kWanted = kX87 | kSse | kAvx | kAvx512;

constexpr std::size_t kAlign = 64;
constexpr std::size_t kLegacyBytes = 512;
constexpr std::size_t kHeaderBytes = 64;
constexpr std::size_t kFcwOffset = 0;
constexpr std::size_t kMxcsrOffset = 24;
constexpr std::size_t kMxcsrMaskOffset = 28;
constexpr std::size_t kXmmOffset = 160;
constexpr std::size_t kXmmEnd = 416;
constexpr std::size_t kPresentOffset = 512;  // XSTATE_BV
constexpr std::uint16_t kInitialFcw = 0x37f;
constexpr std::uint32_t kInitialMxcsr = 0x1f80;
constexpr std::uint32_t kDefaultMxcsrMask = 0xffbf;

struct Component {
    std::size_t offset = 0;
    std::size_t bytes = 0;
};
constinit std::array<Component, 64> components{};
constinit std::uint64_t enabled = kX87 | kSse;
constinit std::size_t area_bytes = kLegacyBytes + kHeaderBytes;
constinit std::uint32_t mxcsr_mask = kDefaultMxcsrMask;

void write_xcr0(std::uint64_t value) {
    // SAFETY: CR4.OSXSAVE is set and CPUID announced every bit.
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"(static_cast<std::uint32_t>(value)), "d"(static_cast<std::uint32_t>(value >> 32)));
}

void learn_mxcsr_mask() {
    alignas(16) std::array<std::byte, kLegacyBytes> image{};
    save_state_legacy(image.data());
    const auto mask = read_unaligned<std::uint32_t>(image, kMxcsrMaskOffset);
    mxcsr_mask = mask == 0 ? kDefaultMxcsrMask : mask;
}

// SDM vol. 1, 13.5.
void choose_components() {
    const CpuidResult leaf = cpuid(0xd, 0);
    const std::uint64_t supported = leaf.eax | std::uint64_t{leaf.edx} << 32;
    enabled = supported & kWanted;
    if ((enabled & kAvx512) != kAvx512 || (enabled & kAvx) == 0) {
        enabled &= ~kAvx512;
    }
    write_xcr0(enabled);
    area_bytes = cpuid(0xd, 0).ebx;  // for what is enabled in XCR0 now
    for (unsigned i = 2; i < components.size(); ++i) {
        if ((enabled >> i & 1) != 0) {
            const CpuidResult component = cpuid(0xd, i);
            components[i] = {component.ebx, component.eax};
        }
    }
}

}  // namespace

void initialise_xstate() {
    if (cpu_features().xsave) {
        choose_components();
    }
    learn_mxcsr_mask();
}

Result<XstateArea> XstateArea::create() {
    XstateArea result;
    result.area_ = static_cast<std::byte*>(TRY(heap_allocate(area_bytes, kAlign)));
    result.reset();
    return result;
}

XstateArea::XstateArea(XstateArea&& other) noexcept : area_(std::exchange(other.area_, nullptr)) {}

XstateArea& XstateArea::operator=(XstateArea&& other) noexcept {
    std::swap(area_, other.area_);
    return *this;
}

XstateArea::~XstateArea() {
    heap_free(area_, area_bytes, kAlign);
}

std::span<std::byte> XstateArea::bytes() const {
    return {area_, area_bytes};
}

// XRSTOR takes MXCSR from memory even where it initialises the registers (SDM vol. 1, 13.8.1).
void XstateArea::reset() {
    zero(bytes());
    write_unaligned(bytes(), kFcwOffset, kInitialFcw);
    write_unaligned(bytes(), kMxcsrOffset, kInitialMxcsr);
    write_unaligned(bytes(), kMxcsrMaskOffset, mxcsr_mask);
    if (!cpu_features().xsave) {
        write_unaligned(bytes(), kPresentOffset, enabled);
    }
}

void XstateArea::save() {
    const auto low = static_cast<std::uint32_t>(enabled);
    if (!cpu_features().xsave) {
        save_state_legacy(area_);
    } else if (cpu_features().xsaveopt) {
        save_changed_state(area_, low);
    } else {
        save_state(area_, low);
    }
}

// The area holds what save(), reset() or the checks of assign() left, so that the CPU accepts it.
void XstateArea::restore() const {
    if (cpu_features().xsave) {
        restore_state(area_, static_cast<std::uint32_t>(enabled));
    } else {
        restore_state_legacy(area_);
    }
}

std::span<const std::byte> XstateArea::complete() {
    const auto present = read_unaligned<std::uint64_t>(bytes(), kPresentOffset);
    const std::uint64_t initial = enabled & ~present;
    if ((initial & kX87) != 0) {
        zero(bytes().first(kMxcsrOffset));
        zero(bytes().subspan(kMxcsrMaskOffset + 4, kXmmOffset - kMxcsrMaskOffset - 4));
        write_unaligned(bytes(), kFcwOffset, kInitialFcw);
    }
    if ((initial & kSse) != 0) {
        zero(bytes().subspan(kXmmOffset, kXmmEnd - kXmmOffset));
    }
    for (unsigned i = 2; i < components.size(); ++i) {
        if ((initial >> i & 1) != 0) {
            zero(bytes().subspan(components[i].offset, components[i].bytes));
        }
    }
    return bytes();
}

Result<> XstateArea::assign(std::span<const std::byte> state) {
    const bool whole = state.size() == area_bytes;
    if (!whole && state.size() != kLegacyBytes) {
        return Error::InvalidArgument;
    }
    if ((read_unaligned<std::uint32_t>(state, kMxcsrOffset) & ~mxcsr_mask) != 0) {
        return Error::InvalidArgument;
    }
    if (whole) {
        const std::span<const std::byte> rest_of_header = state.subspan(kPresentOffset + 8, kHeaderBytes - 8);
        const bool rest_is_zero = std::ranges::all_of(rest_of_header, [](std::byte b) { return b == std::byte{0}; });
        if ((read_unaligned<std::uint64_t>(state, kPresentOffset) & ~enabled) != 0 || !rest_is_zero) {
            return Error::InvalidArgument;
        }
    }
    reset();
    copy_bytes(bytes(), state);
    if (!whole || !cpu_features().xsave) {
        write_unaligned(bytes(), kPresentOffset, kX87 | kSse);
    }
    return {};
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

std::size_t xstate_size() {
    return x86::area_bytes;
}

std::uint64_t xstate_features() {
    return x86::enabled;
}

std::uint32_t cpu_feature_word() {
    return x86::cpuid(1).edx;
}

CpuIdentification cpu_identification(std::uint32_t leaf, std::uint32_t subleaf) {
    constexpr std::uint32_t kExtended = 0x8000'0000;
    if (leaf > x86::cpuid(leaf & kExtended).eax) {
        return {};
    }
    const x86::CpuidResult found = x86::cpuid(leaf, subleaf);
    return {found.eax, found.ebx, found.ecx, found.edx};
}

}  // namespace kernel::platform
