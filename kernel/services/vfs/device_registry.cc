// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/device_registry.h"

#include <atomic>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "lib/vector.h"

namespace kernel::vfs {
namespace {

Immortal<MutexGuarded<Vector<DeviceDescription>, Rank::MountTree>> devices;
constinit std::atomic<DeviceOpener> fifo_opener = nullptr;
constinit std::atomic<DeviceObserver> device_observer = nullptr;

}  // namespace

Result<> register_device(const DeviceDescription& device) {
    TRY(devices->with([&](Vector<DeviceDescription>& all) -> Result<> {
        for (const DeviceDescription& known : all) {
            if (known.type == device.type && known.number == device.number) {
                return Error::Exists;
            }
        }
        return all.push_back(device);
    }));
    if (const DeviceObserver observer = device_observer.load(); observer != nullptr) {
        return observer(device);
    }
    return {};
}

Result<DeviceDescription> find_device(FileType type, DeviceNumber number) {
    return devices->with([&](Vector<DeviceDescription>& all) -> Result<DeviceDescription> {
        for (const DeviceDescription& device : all) {
            if (device.type == type && device.number.major == number.major && number.minor >= device.number.minor &&
                number.minor - device.number.minor < device.minors) {
                return device;
            }
        }
        return Error::NoDevice;
    });
}

Result<DeviceDescription> device_at(std::size_t index) {
    return devices->with([&](Vector<DeviceDescription>& all) -> Result<DeviceDescription> {
        if (index >= all.size()) {
            return Error::NotFound;
        }
        return all[index];
    });
}

void set_device_observer(DeviceObserver observer) {
    device_observer.store(observer);
}

void set_fifo_opener(DeviceOpener open) {
    fifo_opener.store(open);
}

Result<RefPtr<File>> open_special(Inode& node, OpenRequest&& request) {
    if (node.type() == FileType::Fifo) {
        const DeviceOpener open = fifo_opener.load();
        return open == nullptr ? Error::NoDevice : open(node, std::move(request));
    }
    // open(2): ENXIO for a socket.
    if (node.type() == FileType::Socket) {
        return Error::NoDevice;
    }
    const Status status = TRY(node.status());
    const DeviceDescription device = TRY(find_device(node.type(), status.special));
    return device.open(node, std::move(request));
}

}  // namespace kernel::vfs
