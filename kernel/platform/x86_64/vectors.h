// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::x86 {

// Interrupt vectors. Below 32: exceptions, SDM vol. 3A, table 6-1.
inline constexpr unsigned kVectorDebug = 1;
inline constexpr unsigned kVectorNmi = 2;
inline constexpr unsigned kVectorBreakpoint = 3;
inline constexpr unsigned kVectorOverflow = 4;
inline constexpr unsigned kVectorDoubleFault = 8;
inline constexpr unsigned kVectorGeneralProtection = 13;
inline constexpr unsigned kVectorPageFault = 14;
inline constexpr unsigned kVectorMachineCheck = 18;

inline constexpr unsigned kFirstInterruptVector = 32;
inline constexpr unsigned kVectorPicBase =
    0x20;  // 16 vectors for a PIC that is masked but may still raise a spurious one
inline constexpr unsigned kVectorSerial = 0x34;
inline constexpr unsigned kVectorTimer = 0x40;
inline constexpr unsigned kVectorLegacySyscall = 0x80;  // int $0x80: open to user code, to be told apart from a fault
inline constexpr unsigned kVectorReschedule = 0xf0;
inline constexpr unsigned kVectorSpurious = 0xff;

// Acknowledges a hardware interrupt of this CPU and notes what it means in CpuData::pending.
void handle_interrupt(unsigned vector);

}  // namespace kernel::platform::x86
