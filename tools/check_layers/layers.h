// SPDX-License-Identifier: MIT OR Apache-2.0
// The layers of the kernel and the arrows between them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace check_layers {

// What a path below kernel/ belongs to, such as "lib", "core/mm", "services/vfs", "platform/include",
// "platform/hosted"; nothing for a path that belongs to no module.
std::optional<std::string> module_of(std::string_view path_below_kernel);

// The module that `#include "path"` names, where platform/foo.h is kernel/platform/include/platform/foo.h.
std::optional<std::string> module_of_include(std::string_view include_path);

// Whether code in module `from` may include a header of module `to`.
bool may_include(std::string_view from, std::string_view to);

// "core" for "core/mm"; "platform/hosted" and the like stay whole.
std::string_view layer_of(std::string_view module);

bool is_platform(std::string_view module);

}  // namespace check_layers
