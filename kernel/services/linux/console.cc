// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/console.h"

#include <algorithm>

#include "core/irq/interrupts.h"
#include "core/mm/io_buffer.h"
#include "lib/immortal.h"
#include "platform/console.h"
#include "services/linux/anonymous_place.h"
#include "services/linux/mounts.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/task.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/walker.h"

namespace kernel::linux_abi {
namespace {

constexpr std::size_t kChunkBytes = 1024;

class ConsoleOutput final : public TerminalOutput {
public:
    explicit ConsoleOutput(const platform::ConsoleKind& kind)
        : stream_(!kind.output_is_terminal && kind.error_is_terminal ? platform::ConsoleStream::Error
                                                                     : platform::ConsoleStream::Output) {}
    Result<std::size_t> write(std::span<const std::byte> bytes) override {
        return platform::console_write(stream_, bytes);
    }

private:
    const platform::ConsoleStream stream_;
};

// Input of a stream that is no terminal. What was read to find out whether there is any waits here for its reader.
struct StreamInput {
    std::array<std::byte, kChunkBytes> bytes;
    std::size_t start = 0;
    std::size_t end = 0;
    bool ended = false;

    // True if a read has an answer: bytes, or the end.
    bool fill() {
        if (start != end || ended) {
            return true;
        }
        const Result<std::size_t> count = platform::console_read(bytes);
        if (!count && count.error() == Error::WouldBlock) {
            return false;
        }
        start = 0;
        end = count.value_or(0);
        ended = end == 0;
        return true;
    }
    std::size_t take(std::span<std::byte> target) {
        const std::size_t count = std::min(end - start, target.size());
        copy_bytes(target, std::span(bytes).subspan(start, count));
        start += count;
        return count;
    }
};

struct Console {
    RefPtr<Terminal> terminal;
    SpinGuarded<StreamInput, Rank::Terminal> input;
    sched::WaitQueue input_queue;  // readers of a plain input stream
};
Immortal<Console> console;

abi::WindowSize window_size() {
    const std::optional<platform::ConsoleSize> size = platform::console_size();
    return size ? abi::WindowSize{size->rows, size->columns, 0, 0} : abi::WindowSize{24, 80, 0, 0};
}

// Console interrupt: input for the terminal, or news for readers of the stream.
void handle_console_interrupt() {
    if (!console->terminal) {
        console->input_queue.wake_all();
        return;
    }
    std::array<std::byte, 256> bytes;
    std::array<char, 256> text;
    while (true) {
        const Result<std::size_t> count = platform::console_read(bytes);
        if (!count) {
            break;
        }
        if (*count == 0) {
            console->terminal->receive_end();
            break;
        }
        std::ranges::transform(std::span(bytes).first(*count), text.begin(),
                               [](std::byte b) { return static_cast<char>(b); });
        console->terminal->receive(std::span(text).first(*count));
    }
    console->terminal->set_window_size(window_size());
}

// A standard stream of the host that is no terminal.
class StreamFile final : public vfs::File {
public:
    StreamFile(vfs::OpenRequest&& request, platform::ConsoleStream stream)
        : File(std::move(request)), stream_(stream) {}

    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override {
        using vfs::PollEvents;
        if (is_writable()) {
            return PollEvents::Out | PollEvents::WriteNormal;
        }
        if (registrar != nullptr) {
            TRY(registrar->watch(console->input_queue));
        }
        return console->input.with([](StreamInput& input) {
            if (!input.fill()) {
                return PollEvents::None;
            }
            return input.ended ? PollEvents::HangUp : PollEvents::In | PollEvents::ReadNormal;
        });
    }
    bool is_pollable() const override { return true; }
    Result<vfs::Status> status() override {
        if (inode() != nullptr) {
            return File::status();
        }
        vfs::Status status;
        status.type = vfs::FileType::Fifo;
        status.permissions = 0600;
        status.user = credentials()->file_user();
        status.group = credentials()->file_group();
        status.links = 1;
        status.inode = 1 + static_cast<std::uint64_t>(stream_);
        return status;
    }
    Result<vfs::Path> link_path() override;

protected:
    bool is_stream() const override { return true; }

    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override {
        if (to.remaining() == 0) {
            return 0;
        }
        const auto ready = [] { return console->input.with([](StreamInput& input) { return input.fill(); }); };
        std::array<std::byte, kChunkBytes> chunk;
        const std::span<std::byte> room = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), to.remaining()));
        while (true) {
            if (!ready()) {
                if (is_non_blocking()) {
                    return Error::WouldBlock;
                }
                if (!sched::wait_until(console->input_queue, ready, {.interruptible = true})) {
                    return Error::RestartSyscall;
                }
            }
            bool ended = false;
            const std::size_t count = console->input.with([&](StreamInput& input) {
                ended = input.ended;
                return input.take(room);
            });
            // Otherwise another reader was quicker.
            if (count != 0 || ended) {
                return to.copy_from(room.first(count));
            }
        }
    }

    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override {
        std::size_t total = 0;
        std::array<std::byte, kChunkBytes> chunk;
        while (from.remaining() != 0) {
            const std::size_t size = std::min<std::uint64_t>(chunk.size(), from.remaining());
            Result<std::size_t> taken = from.copy_to(std::span(chunk).first(size));
            if (!taken) {
                return total != 0 ? Result<std::size_t>(total) : taken;
            }
            std::span<const std::byte> rest = std::span(chunk).first(*taken);
            while (!rest.empty()) {
                const Result<std::size_t> written = platform::console_write(stream_, rest);
                // Whoever read the host's stream has gone: a broken pipe for the program, too.
                if (!written) {
                    return total != 0 ? Result<std::size_t>(total) : Result<std::size_t>(Error::BrokenPipe);
                }
                rest = rest.subspan(*written);
                total += *written;
            }
        }
        return total;
    }

private:
    const platform::ConsoleStream stream_;
};

class StreamReopener final : public Reopener {
public:
    explicit StreamReopener(platform::ConsoleStream stream) : stream_(stream) {}
    Result<RefPtr<vfs::File>> open(vfs::OpenRequest&& request) override {
        return RefPtr<vfs::File>(TRY(make_ref<StreamFile>(std::move(request), stream_)));
    }

private:
    const platform::ConsoleStream stream_;
};

Result<vfs::Path> StreamFile::link_path() {
    if (path()) {
        return path();
    }
    return make_anonymous_place(TRY(status()), TRY(make_ref<StreamReopener>(stream_)));
}

// /dev/console: the console's terminal, or its streams.
Result<RefPtr<vfs::File>> open_console_device(vfs::Inode&, vfs::OpenRequest&& request) {
    if (console->terminal) {
        return open_terminal(console->terminal, std::move(request));
    }
    return RefPtr<vfs::File>(TRY(make_ref<StreamFile>(std::move(request), platform::ConsoleStream::Output)));
}

// /dev/tty: the controlling terminal of the caller, tty(4).
Result<RefPtr<vfs::File>> open_controlling_terminal(vfs::Inode&, vfs::OpenRequest&& request) {
    const RefPtr<Session> session = process_tree::session(Task::current().process());
    RefPtr<Terminal> terminal = session ? session->terminal() : RefPtr<Terminal>();
    if (!terminal) {
        return Error::NoDevice;
    }
    return open_terminal(terminal, std::move(request));
}

// Where the terminal has its name, so that ttyname(3) finds it; empty in a tree without /dev.
vfs::Path console_device(const RefPtr<security::Credentials>& credentials) {
    const RefPtr<vfs::MountNamespace> mounts = mount_namespace();
    if (!mounts) {
        return {};
    }
    const vfs::Path root = mounts->root();
    Result<vfs::Path> device = vfs::resolve({root, root, credentials}, "/dev/console");
    return device ? std::move(*device) : vfs::Path();
}

}  // namespace

Result<> initialize_console() {
    const platform::ConsoleKind kind = platform::console_kind();
    if (kind.input_is_terminal) {
        console->terminal = TRY(Terminal::create(TRY(make_ref<ConsoleOutput>(kind))));
        console->terminal->set_window_size(window_size());
        platform::console_set_raw(true);
    }
    irq::register_console_handler(&handle_console_interrupt);
    TRY(vfs::register_device({.name = "console", .number = {5, 1}, .permissions = 0600, .open = &open_console_device}));
    TRY(vfs::register_device(
        {.name = "tty", .number = {5, 0}, .permissions = 0666, .open = &open_controlling_terminal}));
    return {};
}

Result<std::array<RefPtr<vfs::File>, 3>> open_standard_files(const RefPtr<security::Credentials>& credentials) {
    const platform::ConsoleKind kind = platform::console_kind();
    const vfs::Path device = console_device(credentials);
    const auto open = [&](bool is_terminal, vfs::OpenFlags flags,
                          platform::ConsoleStream stream) -> Result<RefPtr<vfs::File>> {
        if (is_terminal && console->terminal) {
            return open_terminal(console->terminal,
                                 {device, vfs::OpenFlags::Read | vfs::OpenFlags::Write, credentials});
        }
        return RefPtr<vfs::File>(TRY(make_ref<StreamFile>(vfs::OpenRequest{vfs::Path(), flags, credentials}, stream)));
    };
    std::array<RefPtr<vfs::File>, 3> files;
    files[0] = TRY(open(kind.input_is_terminal, vfs::OpenFlags::Read, platform::ConsoleStream::Output));
    files[1] = TRY(open(kind.output_is_terminal, vfs::OpenFlags::Write, platform::ConsoleStream::Output));
    files[2] = TRY(open(kind.error_is_terminal, vfs::OpenFlags::Write, platform::ConsoleStream::Error));
    return files;
}

RefPtr<Terminal> console_terminal() {
    return console->terminal;
}

void release_console() {
    platform::console_set_raw(false);
}

}  // namespace kernel::linux_abi
