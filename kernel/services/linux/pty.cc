// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/pty.h"

#include <algorithm>
#include <array>

#include "core/mm/io_buffer.h"
#include "lib/format.h"
#include "lib/immortal.h"
#include "lib/ring_buffer.h"
#include "lib/vector.h"
#include "services/linux/file_arguments.h"
#include "services/linux/mounts.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/task.h"
#include "services/linux/terminal.h"
#include "services/vfs/dentry.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"
#include "services/vfs/walker.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint32_t kSlaveMajor = 136;  // UNIX98_PTY_SLAVE_MAJOR
constexpr std::uint32_t kMostPairs = 4096;  // /proc/sys/kernel/pty/max
constexpr std::uint32_t kTtyGroup = 5;      // Debian's group "tty"
constexpr std::uint64_t kDevptsMagic = 0x1cd1;
constexpr std::uint64_t kDevptsBytes = 4 << 20;
constexpr std::size_t kOutputBytes = 4096;
constexpr std::size_t kChunkBytes = 512;

// What the terminal's programs have written, for the master to read.
class MasterBuffer final : public TerminalOutput {
public:
    std::size_t room() override {
        return state_.with([](State& s) { return s.ring.free_space(); });
    }
    Result<std::size_t> write(std::span<const std::byte> bytes) override {
        return state_.with([&](State& s) { return s.ring.write(bytes); });
    }
    void announce(Event event) override {
        state_.with([&](State& s) {
            if (!s.packets) {
                return;
            }
            switch (event) {
                case Event::Written:
                    break;
                case Event::Stopped:
                    s.news = static_cast<std::uint8_t>((s.news & ~abi::kTiocpktStart) | abi::kTiocpktStop);
                    break;
                case Event::Started:
                    s.news = static_cast<std::uint8_t>((s.news & ~abi::kTiocpktStop) | abi::kTiocpktStart);
                    break;
                case Event::InputFlushed:
                    s.news |= abi::kTiocpktFlushread;
                    break;
            }
        });
        queue_.wake_all();
    }
    void set_in_use(bool in_use) override {
        state_.with([&](State& s) { s.ended = !in_use; });
        queue_.wake_all();
    }

    struct State {
        std::array<std::byte, kOutputBytes> bytes;
        RingBuffer ring{bytes};
        bool ended = false;  // the last file of the terminal has been closed; not before the first was opened
        bool packets = false;
        std::uint8_t news = 0;  // of packet mode
        bool has_something() const { return !ring.empty() || news != 0; }
    };
    SpinGuarded<State, Rank::PseudoTerminal>& state() { return state_; }
    sched::WaitQueue& queue() { return queue_; }

private:
    SpinGuarded<State, Rank::PseudoTerminal> state_;
    sched::WaitQueue queue_;
};

struct Pair {
    RefPtr<Terminal> terminal;  // null: the number is free
    bool is_locked = true;      // TIOCSPTLCK
};

struct Pairs {
    Vector<Pair> by_number;
    vfs::FileSystemUse devpts;
};
Immortal<MutexGuarded<Pairs, Rank::PseudoTerminals>> pairs;

class PairName {
public:
    explicit PairName(std::uint32_t number) { format_to(text_, "{}", number); }
    std::string_view view() const { return text_.view(); }

private:
    InlineFormatBuffer<12> text_;
};

// The node in /dev/pts appears and goes with the pair.
Result<> add_node(vfs::FileSystem& devpts, std::uint32_t number, const security::Credentials& owner) {
    const PairName name(number);
    const RefPtr<vfs::Dentry> root = TRY(devpts.root_dentry());
    const RefPtr<vfs::Inode> directory = devpts.root();
    LockGuard guard(directory->directory_lock());
    const RefPtr<vfs::Inode> node =
        TRY(directory->create(name.view(), vfs::NewInode{.type = vfs::FileType::CharacterDevice,
                                                         .permissions = 0620,
                                                         .user = owner.file_user(),
                                                         .group = kTtyGroup,
                                                         .device = {kSlaveMajor, number}}));
    // Somebody may have looked for it in vain.
    if (const RefPtr<vfs::Dentry> absent = vfs::dentries::find(*root, name.view())) {
        vfs::dentries::forget(*absent);
    }
    return {};
}

void remove_node(vfs::FileSystem& devpts, std::uint32_t number) {
    const PairName name(number);
    const RefPtr<vfs::Inode> directory = devpts.root();
    LockGuard guard(directory->directory_lock());
    if (const Result<RefPtr<vfs::Inode>> node = directory->lookup(name.view())) {
        (void)directory->unlink(name.view(), **node);
    }
    const Result<RefPtr<vfs::Dentry>> root = devpts.root_dentry();
    if (!root) {
        return;
    }
    if (const RefPtr<vfs::Dentry> known = vfs::dentries::find(**root, name.view())) {
        vfs::dentries::unlink(*known);
    }
}

class MasterFile final : public vfs::File {
public:
    MasterFile(vfs::OpenRequest&& request, std::uint32_t number, RefPtr<Terminal> terminal, RefPtr<MasterBuffer> output)
        : File(std::move(request)), number_(number), terminal_(std::move(terminal)), output_(std::move(output)) {}
    ~MasterFile() override;

    bool is_pollable() const override { return true; }
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;
    Result<std::uint64_t> ioctl(vfs::Ioctl& request) override;

protected:
    bool is_stream() const override { return true; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override;

private:
    Result<std::uint64_t> open_peer(std::uint64_t flags);

    const std::uint32_t number_;
    const RefPtr<Terminal> terminal_;
    const RefPtr<MasterBuffer> output_;
};

MasterFile::~MasterFile() {
    terminal_->hang_up();
    RefPtr<Terminal> displaced;
    pairs->with([&](Pairs& all) {
        displaced.swap(all.by_number[number_].terminal);
        remove_node(*all.devpts, number_);
    });
}

Result<vfs::PollEvents> MasterFile::poll(vfs::PollRegistrar* registrar) {
    using vfs::PollEvents;
    if (registrar != nullptr) {
        TRY(registrar->watch(output_->queue()));
        TRY(registrar->watch(terminal_->input_room_queue()));
    }
    PollEvents events = terminal_->input_room() != 0 ? PollEvents::Out | PollEvents::WriteNormal : PollEvents::None;
    output_->state().with([&](MasterBuffer::State& s) {
        if (s.has_something()) {
            events |= PollEvents::In | PollEvents::ReadNormal;
        }
        if (s.news != 0) {
            events |= PollEvents::Priority;
        }
        if (s.ended) {
            events |= PollEvents::HangUp;
        }
    });
    return events;
}

// When nobody has the terminal open any more, the rest and then Io, as on Linux.
Result<std::size_t> MasterFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    if (to.remaining() == 0) {
        return std::size_t{0};
    }
    const auto ready = [&] {
        return output_->state().with([](MasterBuffer::State& s) { return s.has_something() || s.ended; });
    };
    std::array<std::byte, kChunkBytes> chunk;
    std::size_t count = 0;
    while (count == 0) {
        if (!ready()) {
            if (is_non_blocking()) {
                return Error::WouldBlock;
            }
            if (!sched::wait_until(output_->queue(), ready, {.interruptible = true})) {
                return Error::RestartSyscall;
            }
        }
        bool ended = false;
        count = output_->state().with([&](MasterBuffer::State& s) {
            const std::span room = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), to.remaining()));
            ended = s.ended && !s.has_something();
            if (!s.packets) {
                return s.ring.read(room);
            }
            room[0] = std::byte{std::exchange(s.news, std::uint8_t{0})};
            if (room[0] != std::byte{abi::kTiocpktData}) {
                return std::size_t{1};
            }
            const std::size_t data = s.ring.read(room.subspan(1));
            return data == 0 ? std::size_t{0} : data + 1;
        });
        if (ended) {
            return Error::Io;
        }
    }
    terminal_->output_has_room();
    return to.copy_from(std::span(chunk).first(count));
}

Result<std::size_t> MasterFile::do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) {
    std::size_t total = 0;
    std::array<char, kChunkBytes> chunk;
    while (from.remaining() != 0) {
        const auto has_room = [&] { return terminal_->input_room() != 0; };
        if (!has_room()) {
            if (total != 0) {
                return total;
            }
            if (is_non_blocking()) {
                return Error::WouldBlock;
            }
            if (!sched::wait_until(terminal_->input_room_queue(), has_room, {.interruptible = true})) {
                return Error::RestartSyscall;
            }
        }
        const std::size_t size = std::min<std::uint64_t>({chunk.size(), from.remaining(), terminal_->input_room()});
        const Result<std::size_t> taken = from.copy_to(std::as_writable_bytes(std::span(chunk).first(size)));
        if (!taken) {
            return total != 0 ? Result<std::size_t>(total) : taken;
        }
        terminal_->receive(std::span(chunk).first(*taken));
        total += *taken;
    }
    return total;
}

template <class T>
Result<std::uint64_t> put(vfs::Ioctl& request, const T& value) {
    TRY(request.space.write_user(UserPtr<T>{VirtAddr{request.argument}}, value));
    return 0;
}

Result<std::int32_t> get_int(vfs::Ioctl& request) {
    return request.space.read_user(UserPtr<std::int32_t>{VirtAddr{request.argument}});
}

// Where the terminal has its name, so that ttyname(3) finds it; empty in a tree whose /dev/pts is another.
vfs::Path place_of(std::uint32_t number, const RefPtr<security::Credentials>& credentials) {
    const RefPtr<vfs::MountNamespace> mounts = mount_namespace();
    if (!mounts) {
        return {};
    }
    InlineFormatBuffer<24> name;
    format_to(name, "/dev/pts/{}", number);
    const vfs::Path root = mounts->root();
    Result<vfs::Path> place = vfs::resolve({root, root, credentials}, name.view());
    if (!place) {
        return {};
    }
    const Result<vfs::Status> status = place->inode().status();
    const bool is_it = status && status->special == vfs::DeviceNumber{kSlaveMajor, number};
    return is_it ? std::move(*place) : vfs::Path();
}

// TIOCGPTPEER: permissions do not matter, the lock does.
Result<std::uint64_t> MasterFile::open_peer(std::uint64_t flags) {
    constexpr std::uint64_t kKnown = abi::kOAccmode | abi::kONoctty | abi::kOCloexec | abi::kONonblock;
    if ((flags & ~kKnown) != 0) {
        return Error::InvalidArgument;
    }
    if (pairs->with([&](Pairs& all) { return all.by_number[number_].is_locked; })) {
        return Error::Io;
    }
    Task& task = Task::current();
    RefPtr<security::Credentials> credentials = task.credentials();
    vfs::Path place = place_of(number_, credentials);
    const vfs::OpenFlags open_flags = TRY(open_flags_of(static_cast<std::uint32_t>(flags)));
    RefPtr<vfs::File> file = TRY(open_terminal(terminal_, {std::move(place), open_flags, std::move(credentials)}));
    const bool close_on_exec = (flags & abi::kOCloexec) != 0;
    return static_cast<std::uint64_t>(TRY(insert_file(task, std::move(file), close_on_exec, 0)));
}

Result<std::uint64_t> MasterFile::ioctl(vfs::Ioctl& request) {
    switch (request.command) {
        case abi::kTiocgptn:
            return put(request, number_);
        case abi::kTiocgdev:
            return put(request, std::uint32_t{kSlaveMajor << 8 | (number_ & 0xff) | (number_ & ~0xffu) << 12});
        case abi::kTiocsptlck: {
            const bool lock = TRY(get_int(request)) != 0;
            pairs->with([&](Pairs& all) { all.by_number[number_].is_locked = lock; });
            return 0;
        }
        case abi::kTiocgptlck:
            return put(request,
                       std::int32_t{pairs->with([&](Pairs& all) { return all.by_number[number_].is_locked; })});
        case abi::kTiocgptpeer:
            return open_peer(request.argument);
        case abi::kTiocpkt: {
            const bool packets = TRY(get_int(request)) != 0;
            output_->state().with([&](MasterBuffer::State& s) {
                s.packets = packets;
                s.news = 0;
            });
            return 0;
        }
        case abi::kTiocgpkt:
            return put(request, std::int32_t{output_->state().with([](MasterBuffer::State& s) { return s.packets; })});
        case abi::kTiocsig: {
            if (request.argument != abi::kSigint && request.argument != abi::kSigquit &&
                request.argument != abi::kSigtstp) {
                return Error::InvalidArgument;
            }
            if (const int group = terminal_->foreground_group(); group != 0) {
                (void)send_to_group(group, kernel_signal(static_cast<int>(request.argument)), nullptr);
            }
            return 0;
        }
        case abi::kFionread:
            return put(request, static_cast<std::int32_t>(
                                    output_->state().with([](MasterBuffer::State& s) { return s.ring.size(); })));
        default:
            return terminal_->ioctl(request, Terminal::Side::Master);
    }
}

abi::Termios pseudo_terminal_settings() {
    abi::Termios settings = default_termios();
    settings.input_flags &= ~std::uint32_t{abi::kIutf8};
    return settings;
}

// The lowest free number gets the terminal and its node.
Result<std::uint32_t> enter_pair(Pairs& all, const RefPtr<Terminal>& terminal, const security::Credentials& owner) {
    const auto free = std::ranges::find_if(all.by_number, [](const Pair& pair) { return !pair.terminal; });
    const auto number = static_cast<std::uint32_t>(free - all.by_number.begin());
    if (number == kMostPairs) {
        return Error::NoSpace;
    }
    if (number == all.by_number.size()) {
        TRY(all.by_number.push_back(Pair{}));
    }
    TRY(add_node(*all.devpts, number, owner));
    all.by_number[number] = Pair{.terminal = terminal, .is_locked = true};
    return number;
}

// /dev/ptmx.
Result<RefPtr<vfs::File>> open_master(vfs::Inode&, vfs::OpenRequest&& request) {
    const RefPtr<MasterBuffer> output = TRY(make_ref<MasterBuffer>());
    const RefPtr<Terminal> terminal = TRY(Terminal::create(output, pseudo_terminal_settings()));
    terminal->set_window_size({});
    const security::Credentials& owner = *request.credentials;
    const std::uint32_t number = TRY(pairs->with([&](Pairs& all) { return enter_pair(all, terminal, owner); }));
    auto file = make_ref<MasterFile>(std::move(request), number, terminal, output);
    if (!file) {
        pairs->with([&](Pairs& all) {
            all.by_number[number].terminal.reset();
            remove_node(*all.devpts, number);
        });
        return file.error();
    }
    return RefPtr<vfs::File>(std::move(*file));
}

// /dev/pts/N.
Result<RefPtr<vfs::File>> open_slave(vfs::Inode& node, vfs::OpenRequest&& request) {
    const std::uint32_t number = TRY(node.status()).special.minor;
    RefPtr<Terminal> terminal = TRY(pairs->with([&](Pairs& all) -> Result<RefPtr<Terminal>> {
        if (number >= all.by_number.size() || !all.by_number[number].terminal || all.by_number[number].is_locked) {
            return Error::Io;
        }
        return all.by_number[number].terminal;
    }));
    return open_terminal(terminal, std::move(request));
}

}  // namespace

Result<> initialize_pseudo_terminals() {
    TRY(vfs::register_device(
        {.name = "ptmx", .number = {5, 2}, .permissions = 0666, .open = &open_master, .group = kTtyGroup}));
    return vfs::register_device({.name = {}, .number = {kSlaveMajor, 0}, .open = &open_slave, .minors = kMostPairs});
}

Result<RefPtr<vfs::FileSystem>> create_devpts() {
    vfs::tmpfs::Options options;
    options.budget = TRY(vfs::tmpfs::Budget::create(kDevptsBytes));
    options.permissions = 0755;
    options.type_name = "devpts";
    options.magic = kDevptsMagic;
    RefPtr<vfs::FileSystem> devpts = TRY(vfs::tmpfs::create(options));
    (void)TRY(devpts->root()->create(
        "ptmx", vfs::NewInode{.type = vfs::FileType::CharacterDevice, .permissions = 0, .device = {5, 2}}));
    pairs->with([&](Pairs& all) { all.devpts = vfs::FileSystemUse(devpts); });
    return devpts;
}

}  // namespace kernel::linux_abi
