// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/guest_view.h"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace kpio {
namespace {

using kernel::main::BindAccess;

// What a distribution's programs need. Files there that not everybody may read (password hashes, private keys, sudo's
// rules) are secrets and hidden, also when root starts us.
constexpr std::array<std::string_view, 8> kSystemDirectories{"/usr",   "/bin",   "/sbin",   "/lib",
                                                             "/lib32", "/lib64", "/libx32", "/etc"};
constexpr std::array<std::string_view, 3> kNeverShown{"/proc", "/sys", "/dev"};

bool is_within(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) &&
           (path.size() == directory.size() || directory == "/" || path[directory.size()] == '/');
}

template <class List>
bool is_within_any(std::string_view path, const List& directories) {
    return std::ranges::any_of(directories, [path](std::string_view directory) { return is_within(path, directory); });
}

std::expected<std::string, int> real_path(const std::string& path) {
    char buffer[PATH_MAX];
    if (realpath(path.c_str(), buffer) == nullptr) {
        return std::unexpected(errno);
    }
    return std::string(buffer);
}

std::string directory_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::unexpected<std::string> error_about(std::string_view what, std::string_view path, std::string_view why) {
    return std::unexpected(std::string(what) + " " + std::string(path) + ": " + std::string(why));
}

// A path that the user named as something to show.
std::expected<std::string, std::string> named_path(std::string_view option, std::string_view path) {
    const auto real = real_path(std::string(path));
    if (!real.has_value()) {
        return error_about(option, path, std::strerror(real.error()));
    }
    struct stat status{};
    if (stat(real->c_str(), &status) != 0) {
        return error_about(option, path, std::strerror(errno));
    }
    if (is_within_any(*real, kNeverShown)) {
        return error_about(option, path, "the host's /proc, /sys and /dev are never shown to a guest");
    }
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode)) {
        return error_about(option, path, "neither a file nor a directory");
    }
    if (option == "--root" && !S_ISDIR(status.st_mode)) {
        return error_about(option, path, std::strerror(ENOTDIR));
    }
    return *real;
}

void add_system(GuestView& view) {
    for (const std::string_view path : kSystemDirectories) {
        const std::string name(path);
        struct stat status{};
        if (lstat(name.c_str(), &status) != 0) {
            continue;
        }
        char target[PATH_MAX];
        const ssize_t length = S_ISLNK(status.st_mode) ? readlink(name.c_str(), target, sizeof target) : -1;
        if (length > 0) {
            view.links.push_back({.guest = name, .target = std::string(target, static_cast<std::size_t>(length))});
        } else if (S_ISDIR(status.st_mode)) {
            view.binds.push_back({.host = name, .guest = name, .access = BindAccess::Layered, .hide_unreadable = true});
        }
    }
}

// A directory that is shown because the caller is in it or runs a program of it. In a home directory, and above one,
// lie secrets (.ssh, shell histories), which their owner has made unreadable for others.
void add_directory(GuestView& view, const Caller& caller, const std::string& host, const std::string& guest,
                   BindAccess access) {
    const bool already = std::ranges::any_of(
        view.binds, [&](const GuestView::Bind& bind) { return bind.access == access && is_within(guest, bind.guest); });
    if (already || host == "/" || is_within_any(host, kNeverShown)) {
        return;
    }
    const bool holds_secrets = !caller.home.empty() && is_within(caller.home, host);
    view.binds.push_back({.host = host, .guest = guest, .access = access, .hide_unreadable = holds_secrets});
}

// The directory of a program named by path, both as it was written and as it really is: the program may be a link, and
// what lies beside it belongs to it.
void add_program(GuestView& view, const Caller& caller, std::string_view program) {
    if (!program.contains('/')) {
        return;
    }
    const std::string path =
        program.starts_with('/') ? std::string(program) : caller.working_directory + "/" + std::string(program);
    const std::string written = directory_of(path);
    if (const auto directory = real_path(written); directory.has_value()) {
        add_directory(view, caller, *directory, *directory, BindAccess::Layered);
        const bool plain = !path.contains("/../") && !path.contains("/./") && !path.contains("//");
        // Below /bin or /lib, say, the guest has the host's own link.
        const bool linked = std::ranges::any_of(
            view.links, [&](const GuestView::Link& link) { return is_within(written, link.guest); });
        if (plain && !linked && written != *directory) {
            add_directory(view, caller, *directory, written, BindAccess::Layered);
        }
    }
    if (const auto target = real_path(path); target.has_value()) {
        add_directory(view, caller, directory_of(*target), directory_of(*target), BindAccess::Layered);
    }
}

std::expected<void, std::string> add_defaults(GuestView& view, const RunOptions& options, const Caller& caller) {
    add_system(view);
    const std::string& here = caller.working_directory;
    if (options.writable && (here.empty() || here == "/" || is_within_any(here, kNeverShown))) {
        return error_about("--rw in", here.empty() ? "a deleted directory" : here,
                           "the guest does not see this directory");
    }
    if (!here.empty()) {
        add_directory(view, caller, here, here, options.writable ? BindAccess::ReadWrite : BindAccess::Layered);
    }
    if (!options.arguments.empty()) {
        add_program(view, caller, options.arguments[0]);
    }
    const bool visible =
        std::ranges::any_of(view.binds, [&](const GuestView::Bind& bind) { return is_within(here, bind.guest); });
    view.working_directory = visible ? here : "/";
    if (caller.home.starts_with('/')) {
        view.directories.push_back(caller.home);
    }
    return {};
}

}  // namespace

Caller current_caller() {
    Caller caller;
    char buffer[PATH_MAX];
    if (getcwd(buffer, sizeof buffer) != nullptr && buffer[0] == '/') {
        caller.working_directory = buffer;
    }
    const char* home = std::getenv("HOME");
    caller.home = real_path(home == nullptr ? "" : home).value_or("");
    return caller;
}

std::expected<GuestView, std::string> plan_guest_view(const RunOptions& options, const Caller& caller) {
    GuestView view;
    view.working_directory = "/";
    if (options.root.has_value()) {
        const auto root = named_path("--root", *options.root);
        if (!root.has_value()) {
            return std::unexpected(root.error());
        }
        const BindAccess access = options.writable ? BindAccess::ReadWrite : BindAccess::Layered;
        view.binds.push_back({.host = *root, .guest = "/", .access = access});
        if (*root == "/" && !caller.working_directory.empty()) {
            view.working_directory = caller.working_directory;
        }
    } else if (const auto added = add_defaults(view, options, caller); !added.has_value()) {
        return std::unexpected(added.error());
    }
    for (const BindOption& bind : options.binds) {
        const auto host = named_path("--bind", bind.host);
        if (!host.has_value()) {
            return std::unexpected(host.error());
        }
        view.binds.push_back({.host = *host,
                              .guest = std::string(bind.guest),
                              .access = bind.read_only ? BindAccess::ReadOnly : BindAccess::ReadWrite});
    }
    if (options.working_directory.has_value()) {
        view.working_directory = *options.working_directory;
    }
    return view;
}

std::vector<std::string> plan_environment(const RunOptions& options, const char* const* caller_environment) {
    constexpr std::array<std::string_view, 9> kPassedOn{"TERM", "COLORTERM", "LANG",    "LANGUAGE", "TZ",
                                                        "HOME", "USER",      "LOGNAME", "NO_COLOR"};
    std::vector<std::string> result{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    const auto set = [&result](std::string_view variable) {
        const std::string_view name = variable.substr(0, variable.find('=') + 1);
        std::erase_if(result, [name](const std::string& other) { return other.starts_with(name); });
        result.emplace_back(variable);
    };
    for (const char* const* at = caller_environment; *at != nullptr; ++at) {
        const std::string_view variable(*at);
        const std::string_view name = variable.substr(0, variable.find('='));
        const bool asked = std::ranges::find(options.environment, name) != options.environment.end();
        if (asked || name.starts_with("LC_") || std::ranges::find(kPassedOn, name) != kPassedOn.end()) {
            set(variable);
        }
    }
    for (const std::string_view variable : options.environment) {
        if (variable.contains('=')) {
            set(variable);
        }
    }
    return result;
}

}  // namespace kpio
