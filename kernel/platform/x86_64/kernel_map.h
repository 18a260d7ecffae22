// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/result.h"
#include "lib/types.h"
#include "platform/x86_64/page_table.h"

namespace kernel::platform::x86 {

// Replaces the boot tables: memory only in the direct map, the image with W^X, guard pages, nothing in the user half.
void initialise_kernel_map();

// The root table that has no user half.
std::uint64_t kernel_root_physical();

// Gives a new address space the kernel half.
void copy_kernel_half(PageTable& root);

// Whether the kernel can reach [physical, physical + bytes) in the direct map.
bool is_direct_mapped(std::uint64_t physical, std::uint64_t bytes);

// Maps the page of a device's registers that holds the address, uncached, for ever; points to the address itself.
volatile std::byte* map_device(std::uint64_t physical);

// Access to the stack window. Pages are zeroed frames from the frame source. Errors: NoMemory (nothing is mapped then).
Result<> map_stack_pages(std::uint64_t address, std::uint64_t pages);
void unmap_stack_pages(std::uint64_t address, std::uint64_t pages);

// A page fault of kernel code: true when it touched a page of a boot array for the first time, which is there now.
bool fill_lazy_page(std::uint64_t address);

}  // namespace kernel::platform::x86
