// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/file.h"
#include "services/vfs/status.h"

namespace kernel::vfs {

// Gives the open file for a device node. Errors: NoDevice, Busy, AccessDenied …
using DeviceOpener = Result<RefPtr<File>> (*)(Inode& node, OpenRequest&& request);

struct DeviceDescription {
    std::string_view name;  // in /dev, may have one '/'; static storage. Empty: no node appears by itself
    FileType type = FileType::CharacterDevice;
    DeviceNumber number;
    std::uint32_t permissions = 0600;
    DeviceOpener open = nullptr;
    std::uint32_t group = 0;
    std::uint32_t minors = 1;  // consecutive ones, from number.minor on
};

// At boot or later; the node shows up in every devfs. Errors: Exists, NoMemory.
Result<> register_device(const DeviceDescription& device);
// NoDevice (ENXIO) when there is none.
Result<DeviceDescription> find_device(FileType type, DeviceNumber number);
// The index-th, in order of registration; NotFound past the end.
Result<DeviceDescription> device_at(std::size_t index);

// Called for each device that is registered from now on; devfs makes nodes with it.
using DeviceObserver = Result<> (*)(const DeviceDescription& device);
void set_device_observer(DeviceObserver observer);

// Opens a device node, FIFO or socket by its type and number.
Result<RefPtr<File>> open_special(Inode& node, OpenRequest&& request);

// FIFOs and sockets: what an open of such a node does belongs to a personality. Without one it is NoDevice.
void set_fifo_opener(DeviceOpener open);

}  // namespace kernel::vfs
