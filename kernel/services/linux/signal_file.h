// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>

#include "lib/guarded.h"
#include "lib/vector.h"
#include "services/linux/anonymous_file.h"
#include "services/linux/process.h"

namespace kernel::linux_abi {

// signalfd(2): reads the pending signals of whoever reads.
class SignalFile final : public AnonymousFile {
public:
    static constexpr char kClassTag = 0;

    static Result<RefPtr<SignalFile>> create(vfs::OpenRequest&& request, abi::SignalMask mask);
    void set_mask(Task& task, abi::SignalMask mask);
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;

protected:
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;
    Result<std::size_t> do_write(mm::IoBuffer&, std::uint64_t&, vfs::WriteOrder) override {
        return Error::InvalidArgument;
    }

private:
    friend class kernel::ObjectMaker;
    SignalFile(vfs::OpenRequest&& request, abi::SignalMask mask);
    ~SignalFile() override = default;
    // An epoll set leaves its entries in the process's queue until this file goes, so the queue must not go before.
    Result<> keep(SignalEvent& event);

    std::atomic<abi::SignalMask> mask_;
    SpinGuarded<Vector<RefPtr<SignalEvent>>, Rank::EventFile> kept_;
};

}  // namespace kernel::linux_abi
