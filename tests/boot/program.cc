// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/bytes.h"
#include "platform/cpu.h"
#include "platform/frames.h"
#include "selftest.h"

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

Program::Program(const std::byte* begin, const std::byte* end)
    : code_frame_(take_frame()), data_frame_(take_frame()), stack_frame_(take_frame()) {
    copy_bytes({frame_pointer(code_frame_), kPageSize}, {begin, end});
    map_ = MUST(PageMap::create());
    MUST(map_->map(kCode, code_frame_, 1, Access::Read | Access::Execute));
    MUST(map_->map(kData, data_frame_, 1, Access::Read | Access::Write));
    MUST(map_->map(kStack, stack_frame_, 1, Access::Read | Access::Write));
    Registers initial{};
    initial.rip = kCode.value;
    initial.rsp = kStackTop.value;
    context_ = MUST(UserContext::create(*map_, initial));
}

Program::~Program() {
    context_.reset();
    map_.reset();
    give_back_frame(code_frame_);
    give_back_frame(data_frame_);
    give_back_frame(stack_frame_);
}

std::span<std::byte> Program::data() const {
    return {frame_pointer(data_frame_), kPageSize};
}

Trap Program::run() {
    Trap trap = context_->enter_user();
    while (trap.kind == TrapKind::Interrupt) {
        take_interrupts();
        trap = context_->enter_user();
    }
    return trap;
}

}  // namespace selftest
