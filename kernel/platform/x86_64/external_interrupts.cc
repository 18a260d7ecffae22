// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/external_interrupts.h"

#include <cstddef>
#include <cstdint>

#include "platform/x86_64/instructions.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/local_apic.h"
#include "platform/x86_64/vectors.h"

namespace kernel::platform::x86 {
namespace {

// Where every PC chipset and every hypervisor has the first one (Intel 82093AA data sheet).
constexpr std::uint64_t kIoApicAddress = 0xfec0'0000;
constexpr std::uint32_t kSelect = 0x00;
constexpr std::uint32_t kWindow = 0x10;
constexpr std::uint32_t kVersion = 0x01;
constexpr std::uint32_t kRedirection = 0x10;
constexpr std::uint32_t kMasked = 1u << 16;

// IRQ 4; interrupt source overrides exist for IRQ 0 and 9 only in practice.
constexpr std::uint32_t kSerialPin = 4;

class IoApic {
public:
    explicit IoApic(std::uint64_t physical) : registers_(map_device(physical)) {}

    std::uint32_t read(std::uint32_t index) {
        at(kSelect) = index;
        return at(kWindow);
    }
    void write(std::uint32_t index, std::uint32_t value) {
        at(kSelect) = index;
        at(kWindow) = value;
    }
    // Edge triggered, active high, fixed delivery to one CPU: how ISA interrupts arrive.
    void route(std::uint32_t pin, unsigned vector, std::uint32_t apic_id) {
        write(kRedirection + 2 * pin + 1, apic_id << 24);
        write(kRedirection + 2 * pin, vector);
    }

private:
    volatile std::uint32_t& at(std::uint32_t offset) {
        // SAFETY: the mapped page is the I/O APIC's; both registers are 32 bits wide.
        return *reinterpret_cast<volatile std::uint32_t*>(registers_ + offset);
    }

    volatile std::byte* registers_;
};

// Intel 8259A data sheet: initialise with vectors that we ignore, then mask everything.
void silence_pic() {
    constexpr std::uint16_t kMasterCommand = 0x20;
    constexpr std::uint16_t kMasterData = 0x21;
    constexpr std::uint16_t kSlaveCommand = 0xa0;
    constexpr std::uint16_t kSlaveData = 0xa1;
    out8(kMasterCommand, 0x11);
    out8(kSlaveCommand, 0x11);
    out8(kMasterData, kVectorPicBase);
    out8(kSlaveData, kVectorPicBase + 8);
    out8(kMasterData, 4);
    out8(kSlaveData, 2);
    out8(kMasterData, 1);
    out8(kSlaveData, 1);
    out8(kMasterData, 0xff);
    out8(kSlaveData, 0xff);
}

}  // namespace

void initialise_external_interrupts() {
    silence_pic();
    IoApic io_apic(kIoApicAddress);
    const std::uint32_t version = io_apic.read(kVersion);
    if (version == 0xffff'ffff || version == 0) {
        return;  // none: serial input is then seen only when somebody looks
    }
    const std::uint32_t pins = (version >> 16 & 0xff) + 1;
    for (std::uint32_t pin = 0; pin < pins; ++pin) {
        io_apic.write(kRedirection + 2 * pin, kMasked);
    }
    if (kSerialPin < pins) {
        io_apic.route(kSerialPin, kVectorSerial, local_apic_id());
    }
}

}  // namespace kernel::platform::x86
