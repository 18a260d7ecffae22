// SPDX-License-Identifier: MIT OR Apache-2.0
// libFuzzer: unpacks whatever it is given as an initial archive.
#include <cstddef>
#include <cstdint>
#include <span>

#include "services/vfs/fs/initramfs/initramfs.h"
#include "support/vfs_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool ready = kernel::mm::initialize_frames().has_value();
    if (!ready) {
        return 0;
    }
    test_support::World world;
    if (world.start(MUST(test_support::make_tmpfs(1 << 20)))) {
        (void)kernel::vfs::initramfs::unpack(std::as_bytes(std::span(data, size)), world.root.inode());
    }
    return 0;
}
