// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

namespace test_support {

// Everything that was logged since the last call, as whole lines. Beyond that the log is shown only when KPIO_TEST_LOG
// is in the environment.
std::string take_log();

}  // namespace test_support
