// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/linux/anonymous_file.h"
#include "services/linux/process.h"

namespace kernel::linux_abi {

// pidfd_open(2): a process by an object instead of a number that may be used again. It can be asked after the process
// has ended and was waited for, too.
class ProcessFile final : public AnonymousFile {
public:
    static constexpr char kClassTag = 0;

    static Result<RefPtr<ProcessFile>> create(vfs::OpenRequest&& request, RefPtr<Process> process) {
        return make_ref<ProcessFile>(std::move(request), std::move(process));
    }
    Process& process() const { return *process_; }
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;

protected:
    Result<std::size_t> do_read(mm::IoBuffer&, std::uint64_t) override { return Error::InvalidArgument; }
    Result<std::size_t> do_write(mm::IoBuffer&, std::uint64_t&, vfs::WriteOrder) override {
        return Error::InvalidArgument;
    }

private:
    friend class kernel::ObjectMaker;
    ProcessFile(vfs::OpenRequest&& request, RefPtr<Process> process)
        : AnonymousFile(std::move(request), "anon_inode:[pidfd]", &kClassTag), process_(std::move(process)) {}
    ~ProcessFile() override = default;

    const RefPtr<Process> process_;
};

// Of a descriptor. Errors: BadHandle (also when it is another kind of file).
Result<RefPtr<ProcessFile>> process_file_of(Task& task, std::int32_t fd);

}  // namespace kernel::linux_abi
