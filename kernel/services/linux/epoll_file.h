// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <utility>

#include "services/linux/anonymous_file.h"
#include "services/linux/epoll_set.h"

namespace kernel::linux_abi {

// An epoll descriptor's open file description.
class EpollFile final : public AnonymousFile {
public:
    static constexpr char kClassTag = 0;

    static Result<RefPtr<EpollFile>> create(vfs::OpenRequest&& request) {
        return make_ref<EpollFile>(std::move(request), TRY(EpollSet::create()));
    }
    EpollSet& set() const { return *set_; }
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override {
        if (registrar != nullptr) {
            TRY(registrar->watch(set_->waiters()));
        }
        return set_->has_events() ? vfs::PollEvents::In | vfs::PollEvents::ReadNormal : vfs::PollEvents::None;
    }

protected:
    Result<std::size_t> do_read(mm::IoBuffer&, std::uint64_t) override { return Error::InvalidArgument; }
    Result<std::size_t> do_write(mm::IoBuffer&, std::uint64_t&, vfs::WriteOrder) override {
        return Error::InvalidArgument;
    }

private:
    friend class kernel::ObjectMaker;
    EpollFile(vfs::OpenRequest&& request, RefPtr<EpollSet> set)
        : AnonymousFile(std::move(request), "anon_inode:[eventpoll]", &kClassTag), set_(std::move(set)) {}
    ~EpollFile() override { set_->close(); }

    const RefPtr<EpollSet> set_;
};

}  // namespace kernel::linux_abi
