// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::x86 {

// Seeds the generator behind fill_random. Needs the clock.
void initialise_entropy();

}  // namespace kernel::platform::x86
