// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
// For tests and benchmarks of the transport: guests made of a few instructions, without a kernel around them.
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/frames.h"
#include "platform/hosted/guest_memory.h"
#include "platform/hosted/host_clock.h"
#include "platform/hosted/stub_page_map.h"
#include "platform/hosted/stub_platform.h"
#include "platform/hosted/vcpu.h"
#include "platform/user_context.h"

namespace kernel::platform::hosted {

inline constexpr VirtAddr kCode{0x400000};
inline constexpr VirtAddr kData{0x500000};
inline constexpr VirtAddr kStack{0x600000};
inline constexpr Access kReadOnly = Access::Read;
inline constexpr Access kReadWrite = Access::Read | Access::Write;
inline constexpr Access kReadExecute = Access::Read | Access::Execute;

inline FrameNumber next_frame(std::uint64_t count = 1) {
    static std::atomic<std::uint64_t> used = 0;
    return guest_memory().first + used.fetch_add(count);
}

inline bool start_platform(unsigned cpus, Transport best = Transport::Notify) {
    static bool started = false;
    if (started) {
        return true;
    }
    started = true;
    set_up_clock();
    if (guest_memory().base == nullptr && !set_up_frames(std::uint64_t{256} << 20, std::uint64_t{16} << 20)) {
        return false;
    }
    if (!start_stub_platform(best).has_value()) {
        return false;
    }
    set_up_boot_cpu(cpus);
    return true;
}

// What CPU 1 does between its sleeps; woken by an interrupt.
inline std::atomic<void (*)()> second_cpu_job = nullptr;

inline bool start_second_cpu() {
    static const bool started = start_secondary_cpus([](unsigned) {
                                    for (;;) {
                                        if (const auto job = second_cpu_job.load(); job != nullptr) {
                                            job();
                                        } else {
                                            idle_until_interrupt();
                                            take_interrupts();
                                        }
                                    }
                                }).has_value();
    return started;
}

// An address space with one page each of code, data and stack.
struct Guest {
    OwnPtr<PageMap> map;
    FrameNumber code, data, stack;

    explicit Guest(std::span<const std::byte> program) : code(next_frame()), data(next_frame()), stack(next_frame()) {
        map = MUST(PageMap::create());
        std::memset(frame_pointer(code), 0xcc, kPageSize);
        std::memcpy(frame_pointer(code), program.data(), program.size());
        std::memset(frame_pointer(data), 0, kPageSize);
        map_all();
    }
    void map_all() {
        MUST(map->map(kCode, code, 1, kReadExecute));
        MUST(map->map(kData, data, 1, kReadWrite));
        MUST(map->map(kStack, stack, 1, kReadWrite));
    }
    static Registers initial() {
        Registers registers{};
        registers.rip = kCode.value;
        registers.rsp = kStack.value + kPageSize - 64;
        return registers;
    }
    OwnPtr<UserContext> start(const Registers& registers = initial()) {
        return MUST(UserContext::create(*map, registers));
    }
    template <class T>
    T& data_at(std::size_t offset) {
        // SAFETY: tests pass aligned offsets; the page outlives the guest.
        return *reinterpret_cast<T*>(frame_pointer(data) + offset);
    }
    StubProcess& stub() { return *MUST(static_cast<StubPageMap&>(*map).stub()); }
};

}  // namespace kernel::platform::hosted

// Defines `name`, the machine code of the assembly text. SAFETY: the code is data here, copied into guests.
#define GUEST_PROGRAM(name, text)                                                           \
    asm(".pushsection .rodata\n" #name "_begin:\n" text "\n" #name "_end:\n.popsection\n"); \
    extern "C" const std::byte name##_begin[] __attribute__((visibility("hidden")));        \
    extern "C" const std::byte name##_end[] __attribute__((visibility("hidden")));          \
    static std::span<const std::byte> name() {                                              \
        return {name##_begin, name##_end};                                                  \
    }
