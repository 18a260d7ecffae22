// SPDX-License-Identifier: MIT OR Apache-2.0
// Pipes as open files: pipe(2), fifo(7).
#include "services/linux/pipe_file.h"

#include <bit>
#include <utility>

#include "abi/linux/tty.h"
#include "core/mm/address_space.h"
#include "platform/clock.h"
#include "services/linux/anonymous_file.h"
#include "services/linux/anonymous_place.h"

namespace kernel::linux_abi {
namespace {

using vfs::OpenFlags;

// Pipes have no file system; their device number is one that file systems, which count from 1, do not reach.
constexpr vfs::DeviceNumber kPipeDevice{.major = 0, .minor = 0xffff};

constinit std::atomic<std::uint64_t> next_inode = 1;

Pipe::End end_of(OpenFlags flags) {
    if (!has(flags, OpenFlags::Write)) {
        return Pipe::End::Read;
    }
    return has(flags, OpenFlags::Read) ? Pipe::End::Both : Pipe::End::Write;
}

class PipeFile final : public vfs::File {
public:
    PipeFile(vfs::OpenRequest&& request, RefPtr<Pipe> pipe, std::uint64_t inode)
        : File(std::move(request)), pipe_(std::move(pipe)), end_(end_of(flags())), inode_number_(inode) {}
    ~PipeFile() override {
        if (open_) {
            pipe_->close(end_);
        }
    }

    Pipe::Opened attach() {
        const Pipe::Opened opened = pipe_->open(end_);
        open_ = true;
        return opened;
    }
    // As fifo(7) has it for the way it is opened.
    Result<> attach_fifo();

    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override {
        return pipe_->poll(end_, quiet_until_, registrar);
    }
    bool is_pollable() const override { return true; }
    Result<std::uint64_t> ioctl(vfs::Ioctl& request) override;
    Result<vfs::Status> status() override;
    Result<vfs::Path> link_path() override;
    Result<> sync(bool) override { return Error::InvalidArgument; }
    Result<std::uint64_t> pipe_capacity() override { return pipe_->capacity(); }
    Result<std::uint64_t> set_pipe_capacity(std::uint64_t bytes, bool privileged) override;
    RefCounted* pipe() override { return pipe_.get(); }

protected:
    bool is_stream() const override { return true; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override { return pipe_->read(to, is_non_blocking()); }
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override {
        return pipe_->write(from, is_non_blocking());
    }

private:
    const RefPtr<Pipe> pipe_;
    const Pipe::End end_;
    const std::uint64_t inode_number_;
    const std::uint64_t birth_ns_ = platform::realtime_ns();
    std::uint64_t quiet_until_ = Pipe::kNever;
    bool open_ = false;
};

Result<> PipeFile::attach_fifo() {
    if (end_ == Pipe::End::Write && is_non_blocking() && !pipe_->has_readers()) {
        return Error::NoDevice;
    }
    const Pipe::Opened opened = attach();
    if (end_ == Pipe::End::Read && !opened.has_writers) {
        if (is_non_blocking()) {
            quiet_until_ = opened.writers_ever;
            return {};
        }
        return pipe_->wait_for_writer(opened);
    }
    if (end_ == Pipe::End::Write && !opened.has_readers) {
        return pipe_->wait_for_reader(opened);
    }
    return {};
}

Result<std::uint64_t> PipeFile::ioctl(vfs::Ioctl& request) {
    if (request.command != abi::kFionread) {
        return Error::NotTerminal;
    }
    const auto bytes = static_cast<std::int32_t>(pipe_->readable_bytes());
    TRY(request.space.write_user(UserPtr<std::int32_t>{VirtAddr{request.argument}}, bytes));
    return 0;
}

Result<vfs::Status> PipeFile::status() {
    if (inode() != nullptr) {
        return File::status();
    }
    return status_of_unnamed(vfs::FileType::Fifo, 0600, kPipeDevice, inode_number_, birth_ns_, *credentials());
}

// Unlike a FIFO, a pipe that is opened again waits for nobody.
class PipeReopener final : public Reopener {
public:
    PipeReopener(RefPtr<Pipe> pipe, std::uint64_t inode) : pipe_(std::move(pipe)), inode_number_(inode) {}
    Result<RefPtr<vfs::File>> open(vfs::OpenRequest&& request) override {
        RefPtr<PipeFile> file = TRY(make_ref<PipeFile>(std::move(request), pipe_, inode_number_));
        (void)file->attach();
        return RefPtr<vfs::File>(std::move(file));
    }

private:
    const RefPtr<Pipe> pipe_;
    const std::uint64_t inode_number_;
};

Result<vfs::Path> PipeFile::link_path() {
    if (path()) {
        return path();
    }
    return make_anonymous_place(TRY(status()), TRY(make_ref<PipeReopener>(pipe_, inode_number_)));
}

Result<std::uint64_t> PipeFile::set_pipe_capacity(std::uint64_t bytes, bool privileged) {
    constexpr std::uint64_t kHighest = std::uint64_t{1} << 31;
    if (bytes > kHighest) {
        return Error::InvalidArgument;
    }
    const std::uint64_t rounded = std::bit_ceil(bytes < kPageSize ? kPageSize : bytes);
    if (rounded > Pipe::kMaxBytes && rounded > pipe_->capacity() && !privileged) {
        return Error::NotPermitted;
    }
    TRY(pipe_->set_capacity(rounded));
    return rounded;
}

Result<RefPtr<PipeFile>> make_end(const RefPtr<Pipe>& pipe, const RefPtr<security::Credentials>& credentials,
                                  OpenFlags flags, std::uint64_t inode) {
    vfs::OpenRequest request{.path = {}, .flags = flags, .credentials = credentials};
    RefPtr<PipeFile> end = TRY(make_ref<PipeFile>(std::move(request), pipe, inode));
    (void)end->attach();
    return end;
}

Result<RefPtr<Pipe>> fifo_pipe(vfs::Inode& node) {
    if (RefPtr<RefCounted> attached = node.attachment()) {
        return static_ref_cast<Pipe>(std::move(attached));
    }
    return static_ref_cast<Pipe>(node.attach(TRY(Pipe::create())));
}

}  // namespace

Result<PipeEnds> make_pipe(const RefPtr<security::Credentials>& credentials, OpenFlags flags) {
    const RefPtr<Pipe> pipe = TRY(Pipe::create());
    const std::uint64_t inode = next_inode.fetch_add(1, std::memory_order_relaxed);
    PipeEnds ends;
    ends.read_end = TRY(make_end(pipe, credentials, flags | OpenFlags::Read, inode));
    ends.write_end = TRY(make_end(pipe, credentials, flags | OpenFlags::Write, inode));
    return ends;
}

Result<RefPtr<vfs::File>> open_fifo(vfs::Inode& node, vfs::OpenRequest&& request) {
    RefPtr<Pipe> pipe = TRY(fifo_pipe(node));
    RefPtr<PipeFile> file = TRY(make_ref<PipeFile>(std::move(request), std::move(pipe), std::uint64_t{0}));
    TRY(file->attach_fifo());
    return RefPtr<vfs::File>(std::move(file));
}

}  // namespace kernel::linux_abi
