// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/fs_context.h"

#include <utility>

namespace kernel::linux_abi {

Result<RefPtr<FsContext>> FsContext::create(vfs::Path root, vfs::Path working_directory, std::uint32_t umask) {
    RefPtr<FsContext> context = TRY(make_ref<FsContext>());
    context->state_.with([&](State& state) {
        state.root = std::move(root);
        state.working_directory = std::move(working_directory);
        state.umask = umask;
    });
    return context;
}

Result<RefPtr<FsContext>> FsContext::clone() const {
    return create(root(), working_directory(), umask());
}

vfs::Path FsContext::root() const {
    return state_.with([](const State& state) { return state.root; });
}

vfs::Path FsContext::working_directory() const {
    return state_.with([](const State& state) { return state.working_directory; });
}

std::uint32_t FsContext::umask() const {
    return state_.with([](const State& state) { return state.umask; });
}

// The old path is dropped outside the lock: that may free a dentry or a mount.
void FsContext::set_root(vfs::Path path) {
    state_.with([&](State& state) { std::swap(state.root, path); });
}

void FsContext::set_working_directory(vfs::Path path) {
    state_.with([&](State& state) { std::swap(state.working_directory, path); });
}

std::uint32_t FsContext::exchange_umask(std::uint32_t mask) {
    return state_.with([&](State& state) { return std::exchange(state.umask, mask & 0777); });
}

}  // namespace kernel::linux_abi
