// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <sys/stat.h>

namespace kernel::platform::hosted {

// The host's windows to its own kernel and devices (/proc, /sys, /dev and file systems of their kind, wherever they are
// mounted) are never shown to guests, whatever was bound.

// Whether the directory `name` of the open directory `parent` is one of them. `status` is of the name.
bool is_hidden_directory(int parent, dev_t parent_device, const char* name, const struct stat& status);

// The same for something that is open.
bool is_hidden(int descriptor, const struct stat& status);

}  // namespace kernel::platform::hosted
