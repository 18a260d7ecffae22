// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "services/linux/anonymous_file.h"

namespace kernel::linux_abi {

// eventfd(2): a counter that writers raise and readers take.
class EventFile final : public AnonymousFile {
public:
    static constexpr char kClassTag = 0;
    enum class Mode : std::uint8_t { Counter, Semaphore };

    static Result<RefPtr<EventFile>> create(vfs::OpenRequest&& request, std::uint64_t initial, Mode mode);
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;

protected:
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override;

private:
    friend class kernel::ObjectMaker;
    static constexpr std::uint64_t kMaximum = UINT64_MAX - 1;

    EventFile(vfs::OpenRequest&& request, std::uint64_t initial, Mode mode);
    ~EventFile() override = default;

    // 0: nothing there.
    std::uint64_t take();
    bool add(std::uint64_t value);

    const Mode mode_;
    SpinGuarded<std::uint64_t, Rank::EventFile> count_;
    sched::WaitQueue readable_;
    sched::WaitQueue writable_;
};

}  // namespace kernel::linux_abi
