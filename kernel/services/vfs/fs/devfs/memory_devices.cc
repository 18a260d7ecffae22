// SPDX-License-Identifier: MIT OR Apache-2.0
// null(4), zero(4), full(4), random(4).
#include <array>

#include "core/mm/io_buffer.h"
#include "core/mm/memory_object.h"
#include "lib/bytes.h"
#include "platform/entropy.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/fs/devfs/devfs.h"

namespace kernel::vfs::devfs {
namespace {

// Has no position of its own, but accepts every offset.
class MemoryDevice : public File {
public:
    Result<std::uint64_t> seek(std::int64_t, SeekFrom) override { return std::uint64_t{0}; }

protected:
    explicit MemoryDevice(OpenRequest&& request) : File(std::move(request)) {}
    bool is_stream() const override { return false; }
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, WriteOrder) override {
        const std::uint64_t count = from.remaining();
        from.advance(count);
        return static_cast<std::size_t>(count);
    }
};

class NullDevice final : public MemoryDevice {
    friend class kernel::ObjectMaker;
    explicit NullDevice(OpenRequest&& request) : MemoryDevice(std::move(request)) {}
    Result<std::size_t> do_read(mm::IoBuffer&, std::uint64_t) override { return std::size_t{0}; }
};

class ZeroDevice : public MemoryDevice {
public:
    // Private mappings of it are how memory was had before MAP_ANONYMOUS.
    Result<RefPtr<mm::MemoryObject>> memory_object() override {
        constexpr std::uint64_t kEndlessBytes = std::uint64_t{1} << 47;
        return RefPtr<mm::MemoryObject>(TRY(mm::AnonymousObject::create(kEndlessBytes)));
    }

protected:
    friend class kernel::ObjectMaker;
    explicit ZeroDevice(OpenRequest&& request) : MemoryDevice(std::move(request)) {}
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override { return to.fill_zero(to.remaining()); }
};

class FullDevice final : public ZeroDevice {
    friend class kernel::ObjectMaker;
    explicit FullDevice(OpenRequest&& request) : ZeroDevice(std::move(request)) {}
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, WriteOrder) override {
        return from.remaining() == 0 ? Result<std::size_t>(std::size_t{0}) : Error::NoSpace;
    }
};

class RandomDevice final : public MemoryDevice {
    friend class kernel::ObjectMaker;
    explicit RandomDevice(OpenRequest&& request) : MemoryDevice(std::move(request)) {}
    bool is_pollable() const override { return true; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override {
        std::array<std::byte, 512> block;
        std::size_t done = 0;
        while (to.remaining() != 0) {
            const std::span<std::byte> part = std::span(block).first(
                to.remaining() < block.size() ? static_cast<std::size_t>(to.remaining()) : block.size());
            platform::fill_random(part);
            const Result<std::size_t> copied = to.copy_from(part);
            if (!copied) {
                return done != 0 ? Result<std::size_t>(done) : copied;
            }
            done += *copied;
            if (*copied < part.size()) {
                break;
            }
        }
        return done;
    }
};

template <class Device>
Result<RefPtr<File>> open_device(Inode&, OpenRequest&& request) {
    return make_ref<Device>(std::move(request));
}

}  // namespace

Result<> register_memory_devices() {
    constexpr std::uint32_t kMemoryMajor = 1;
    const auto add = [](std::string_view name, std::uint32_t minor, DeviceOpener open) {
        return register_device({.name = name,
                                .type = FileType::CharacterDevice,
                                .number = {.major = kMemoryMajor, .minor = minor},
                                .permissions = 0666,
                                .open = open});
    };
    TRY(add("null", 3, &open_device<NullDevice>));
    TRY(add("zero", 5, &open_device<ZeroDevice>));
    TRY(add("full", 7, &open_device<FullDevice>));
    TRY(add("random", 8, &open_device<RandomDevice>));
    return add("urandom", 9, &open_device<RandomDevice>);
}

}  // namespace kernel::vfs::devfs
