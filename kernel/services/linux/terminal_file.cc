// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/process_tree.h"
#include "services/linux/task.h"
#include "services/linux/terminal.h"

namespace kernel::linux_abi {
namespace {

class TerminalFile final : public vfs::File {
public:
    TerminalFile(vfs::OpenRequest&& request, RefPtr<Terminal> terminal)
        : File(std::move(request)), terminal_(std::move(terminal)) {
        terminal_->file_opened();
    }
    ~TerminalFile() override { terminal_->file_closed(); }

    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override { return terminal_->poll(registrar); }
    bool is_pollable() const override { return true; }
    Result<std::uint64_t> ioctl(vfs::Ioctl& request) override { return terminal_->ioctl(request); }
    Result<vfs::Status> status() override {
        if (inode() != nullptr) {
            return File::status();
        }
        vfs::Status status;
        status.type = vfs::FileType::CharacterDevice;
        status.permissions = 0620;
        status.links = 1;
        status.special = {5, 1};
        return status;
    }

protected:
    bool is_stream() const override { return true; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override {
        return terminal_->read(to, is_non_blocking());
    }
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override {
        return terminal_->write(from, is_non_blocking());
    }

private:
    RefPtr<Terminal> terminal_;
};

}  // namespace

Result<RefPtr<vfs::File>> open_terminal(const RefPtr<Terminal>& terminal, vfs::OpenRequest&& request) {
    const bool may_control = !vfs::has(request.flags, vfs::OpenFlags::NoControllingTerminal);
    RefPtr<vfs::File> file = TRY(make_ref<TerminalFile>(std::move(request), terminal));
    if (may_control && sched::Thread::current().owner != nullptr) {
        terminal->adopt_session(Task::current().process());
    }
    return file;
}

}  // namespace kernel::linux_abi
