// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "lib/construct.h"
#include "platform/user_context.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/page_map_impl.h"
#include "platform/x86_64/xstate.h"

namespace kernel::platform::x86 {

// General registers are in memory whenever kernel code runs. Vector state and segment bases stay in the CPU (the kernel
// uses neither) until another context is loaded there, the thread is switched out, or somebody asks.
class X86UserContext final : public UserContext {
public:
    static Result<OwnPtr<UserContext>> create(PageMap& map, const Registers& initial);
    ~X86UserContext() override;

    Trap enter_user() override;
    SyscallFrame syscall() const override {
        const Registers& r = registers_;
        return {r.rax, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}, r.rip};
    }
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
    [[gnu::always_inline]] void load(CpuData& cpu) {
        if (cpu.loaded_context_id != id_ || bases_in_memory_) {
            load_registers(cpu);
        }
        cpu.live_context = this;
    }
    void load_registers(CpuData& cpu);
    [[gnu::noinline]] Trap decode_trap(const CpuData& cpu);

    Registers registers_;
    X86PageMap& map_;
    XstateArea xstate_;
    std::uint64_t id_;  // changes when the copy in a CPU becomes worthless
    std::uint64_t cpu_fs_base_ = 0;
    std::uint64_t cpu_gs_base_ = 0;
    bool as_syscall_left_them_ = false;  // the general registers but RAX: nobody was given a pointer to them since
    bool bases_in_memory_ = true;        // registers_ has the bases, perhaps changed; cpu_*_base_ is what the CPU has
};

// Saves the vector state that this CPU still holds for somebody. Called before a switch of kernel threads.
void save_live_user_state(CpuData& cpu);

}  // namespace kernel::platform::x86
