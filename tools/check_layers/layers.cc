// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/layers.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace check_layers {
namespace {

using namespace std::literals;

// From the bottom up: a module of core may include those before it.
constexpr std::array kCore = {"core/object"sv, "core/mm"sv,  "core/irq"sv,
                              "core/sched"sv,  "core/ipc"sv, "core/syscall"sv};

constexpr std::array kServices = {"services/security"sv, "services/drivers"sv, "services/vfs"sv, "services/net"sv,
                                  "services/linux"sv};

constexpr std::array kPlatforms = {"platform/include"sv, "platform/hosted"sv, "platform/x86_64"sv};

constexpr std::array kWhole = {"abi"sv, "lib"sv, "main"sv};

// Between modules of the same layer, and only there; a module may always include itself.
struct Arrow {
    std::string_view from;
    std::string_view to;
};

constexpr std::array kServiceArrows = {
    Arrow{"services/linux"sv, "services/vfs"sv},     Arrow{"services/linux"sv, "services/net"sv},
    Arrow{"services/linux"sv, "services/drivers"sv}, Arrow{"services/linux"sv, "services/security"sv},
    Arrow{"services/vfs"sv, "services/drivers"sv},   Arrow{"services/vfs"sv, "services/security"sv},
    Arrow{"services/net"sv, "services/drivers"sv},   Arrow{"services/net"sv, "services/security"sv},
};

template <std::size_t N>
std::optional<std::string> first_prefix(const std::array<std::string_view, N>& modules, std::string_view path) {
    for (const std::string_view module : modules) {
        if (path.size() > module.size() && path.starts_with(module) && path[module.size()] == '/') {
            return std::string(module);
        }
    }
    return std::nullopt;
}

// Larger is higher. Platform code is beside core and services, not below them.
int height(std::string_view layer) {
    if (layer == "abi") {
        return 0;
    }
    if (layer == "lib") {
        return 1;
    }
    if (layer == "platform/include") {
        return 2;
    }
    if (layer == "core") {
        return 3;
    }
    if (layer == "services") {
        return 4;
    }
    return 5;
}

std::ptrdiff_t core_rank(std::string_view module) {
    return std::ranges::find(kCore, module) - kCore.begin();
}

}  // namespace

std::optional<std::string> module_of(std::string_view path) {
    if (auto module = first_prefix(kWhole, path)) {
        return module;
    }
    if (auto module = first_prefix(kCore, path)) {
        return module;
    }
    if (auto module = first_prefix(kServices, path)) {
        return module;
    }
    return first_prefix(kPlatforms, path);
}

std::optional<std::string> module_of_include(std::string_view path) {
    if (auto module = module_of(path)) {
        return module;
    }
    if (path.starts_with("platform/")) {
        return "platform/include";
    }
    return std::nullopt;
}

bool may_include(std::string_view from, std::string_view to) {
    if (from == to) {
        return true;
    }
    const bool to_a_platform = is_platform(to) && to != "platform/include";
    if (to_a_platform) {
        return false;
    }
    if (is_platform(from)) {
        return height(to) <= height("platform/include");
    }
    const std::string_view from_layer = layer_of(from);
    const std::string_view to_layer = layer_of(to);
    if (from_layer != to_layer) {
        return height(from_layer) > height(to_layer);
    }
    if (from_layer == "core") {
        return core_rank(from) > core_rank(to);
    }
    return std::ranges::any_of(kServiceArrows, [&](const Arrow& a) { return a.from == from && a.to == to; });
}

std::string_view layer_of(std::string_view module) {
    return is_platform(module) ? module : module.substr(0, module.find('/'));
}

bool is_platform(std::string_view module) {
    return module.starts_with("platform/");
}

}  // namespace check_layers
