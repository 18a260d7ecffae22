// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <span>

#include "core/mm/address_space.h"
#include "lib/result.h"

// The shared object that programs read clocks with, vdso(7), and the page that tells it the time. userspace/vdso is its
// code.
namespace kernel::linux_abi {

// Once at boot, before the first process. Errors: NoMemory.
Result<> initialize_vdso();

// Maps the time page and the object, and returns where the object's ELF header is, for AT_SYSINFO_EHDR. Errors:
// NoMemory.
Result<VirtAddr> map_vdso(mm::AddressSpace& space);

// Makes the time page new when its time is nearly over: called when a program asks the kernel for the time, which the
// object does when it is over. Does not block.
void refresh_time_page();

std::span<const std::byte> vdso_image();

}  // namespace kernel::linux_abi
