// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "lib/construct.h"
#include "platform/user_context.h"
#include "platform/x86_64/page_map_impl.h"
#include "platform/x86_64/xstate.h"

namespace kernel::platform::x86 {

struct CpuData;

// General registers are in memory whenever kernel code runs. Vector state and segment bases stay in the CPU (the kernel
// uses neither) until another context is loaded there, the thread is switched out, or somebody asks.
class X86UserContext final : public UserContext {
public:
    static Result<OwnPtr<UserContext>> create(PageMap& map, const Registers& initial);
    ~X86UserContext() override;

    Trap enter_user() override;
    const SyscallFrame& syscall() const override { return syscall_; }
    void set_syscall_result(std::uint64_t value) override { registers_.rax = value; }
    Result<Registers*> registers() override;
    std::span<const std::byte> xstate() override;
    Result<> set_xstate(std::span<const std::byte> state) override;
    void reset_xstate() override;

    // Writes what the CPU holds of this context to memory. The CPU keeps its copy.
    void save(CpuData& cpu);

private:
    friend class kernel::ObjectMaker;

    X86UserContext(X86PageMap& map, const Registers& initial, XstateArea xstate);

    bool is_loaded(const CpuData& cpu) const;
    void forget_cpu_copy();
    void read_bases();
    void write_bases();
    void load(CpuData& cpu);
    Trap decode_trap(const CpuData& cpu);

    Registers registers_;
    SyscallFrame syscall_{};
    X86PageMap& map_;
    XstateArea xstate_;
    std::uint64_t id_;  // changes when the copy in a CPU becomes worthless
    std::uint64_t cpu_fs_base_ = 0;
    std::uint64_t cpu_gs_base_ = 0;
    bool bases_in_memory_ = true;  // registers_ has the bases, perhaps changed; cpu_*_base_ is what the CPU has
};

// Saves the vector state that this CPU still holds for somebody. Called before a switch of kernel threads.
void save_live_user_state(CpuData& cpu);

}  // namespace kernel::platform::x86
