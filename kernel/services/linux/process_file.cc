// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/process_file.h"

#include <utility>

#include "services/linux/file_arguments.h"
#include "services/linux/process_tree.h"

namespace kernel::linux_abi {

Result<vfs::PollEvents> ProcessFile::poll(vfs::PollRegistrar* registrar) {
    using vfs::PollEvents;
    if (registrar != nullptr) {
        TRY(registrar->watch(process_->end_event()));
    }
    if (process_tree::state_of(*process_) != ProcessState::Zombie) {
        return PollEvents::None;
    }
    const PollEvents ended = PollEvents::In | PollEvents::ReadNormal;
    return process_tree::was_reaped(*process_) ? ended | PollEvents::HangUp : ended;
}

Result<RefPtr<ProcessFile>> process_file_of(Task& task, std::int32_t fd) {
    RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (file_cast<ProcessFile>(*file) == nullptr) {
        return Error::BadHandle;
    }
    return static_ref_cast<ProcessFile>(std::move(file));
}

}  // namespace kernel::linux_abi
