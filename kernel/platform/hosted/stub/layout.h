// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
// What the kernel process and the stub agree on. The first part is read by the assembler too.

// A stub's address space above the guest's: the code page, then the arena (shared with the kernel process): a control
// page and a table that the stub can only read, then one signal frame page per guest thread. All in one 2 MiB block
// while threads are few, so that it costs one page table.
#define KPIO_STUB_CODE 0x7fff10000000
#define KPIO_STUB_CONTROL 0x7fff10001000
#define KPIO_STUB_SLOT_TABLE 0x7fff10002000
#define KPIO_STUB_FRAMES 0x7fff10012000
#define KPIO_STUB_END 0x7fff10412000
#define KPIO_HOST_ADDRESS_END 0x7ffffffff000

#define KPIO_MAX_SLOTS 1024
#define KPIO_SLOT_SHIFT 6
#define KPIO_FRAME_SHIFT 12

// Offsets of code in the code page. *_RETURN is the address after the SYSCALL instruction, which is what a seccomp
// filter sees as instruction pointer.
#define KPIO_HANDLER 0x000
#define KPIO_NOTIFY_RETURN 0x015
#define KPIO_THREAD_SEND_RETURN 0x170
#define KPIO_THREAD_CLOSE_RETURN 0x190
#define KPIO_MAPPER_SEND_RETURN 0x250
#define KPIO_MAPPER_CLOSE_RETURN 0x270
#define KPIO_MAPPER_CLOSE_SOCKET_RETURN 0x280
#define KPIO_MAPPER_NOTIFY_RETURN 0x2a0
#define KPIO_MAPPER_OPERATION_RETURN 0x2e0

// The number of the system call that stands for "the mapper's batch is done". It is never carried out.
#define KPIO_MAPPER_NOTIFY_NUMBER 110

// Descriptors in a stub: the leader has the first two, a thread that has just made its listener has the third.
#define KPIO_STUB_SOCKET 0
#define KPIO_STUB_MEMORY 1
#define KPIO_STUB_LISTENER 2

// Offsets in the control page.
#define KPIO_CONTROL_SEQUENCE 0x00
#define KPIO_CONTROL_SLOT 0x04
#define KPIO_CONTROL_GUEST_FLAGS 0x08
#define KPIO_CONTROL_MAPPER_FLAGS 0x10
#define KPIO_CONTROL_GUEST_PROGRAM 0x18
#define KPIO_CONTROL_MAPPER_PROGRAM 0x28
#define KPIO_CONTROL_THREAD_MESSAGE 0x38
#define KPIO_CONTROL_MAPPER_MESSAGE 0x70
#define KPIO_CONTROL_FAILURE_MESSAGE 0xa8
#define KPIO_CONTROL_OPERATIONS 0x600
#define KPIO_MAPPER_BATCH 40

// Offsets in a slot table entry.
#define KPIO_SLOT_FS_BASE 0x00
#define KPIO_SLOT_GS_BASE 0x08
#define KPIO_SLOT_STACK_POINTER 0x10
#define KPIO_SLOT_SIGNAL_STACK 0x18

#ifndef __ASSEMBLER__
#include <array>
#include <cstddef>
#include <cstdint>

#include <linux/filter.h>

namespace kernel::platform::hosted {

inline constexpr std::uint64_t kStubCode = KPIO_STUB_CODE;
inline constexpr std::uint64_t kStubControl = KPIO_STUB_CONTROL;
inline constexpr std::uint64_t kStubSlotTable = KPIO_STUB_SLOT_TABLE;
inline constexpr std::uint64_t kStubFrames = KPIO_STUB_FRAMES;
inline constexpr std::uint64_t kStubEnd = KPIO_STUB_END;
inline constexpr std::uint64_t kFramePageBytes = std::uint64_t{1} << KPIO_FRAME_SHIFT;
inline constexpr unsigned kMaxSlots = KPIO_MAX_SLOTS;
inline constexpr unsigned kMapperBatch = KPIO_MAPPER_BATCH;

// The layouts of the host's ABI, spelled out because the stub has no C library and a stub's pointers are no pointers
// here.
struct StubSignalStack {
    std::uint64_t pointer;
    std::uint32_t flags;
    std::uint32_t padding;
    std::uint64_t bytes;
};

struct StubSocketMessage {  // struct msghdr
    std::uint64_t name, name_bytes;
    std::uint64_t vector, vector_count;
    std::uint64_t control, control_bytes;
    std::uint64_t flags;
};

struct StubIoVector {
    std::uint64_t base, bytes;
};

struct StubRights {  // struct cmsghdr and one descriptor
    std::uint64_t bytes;
    std::int32_t level, type;
    std::int32_t descriptor;
    std::int32_t padding;
};

struct StubFilterProgram {  // struct sock_fprog
    std::uint16_t length;
    std::uint16_t padding[3];
    std::uint64_t instructions;
};

// What arrives at the kernel process over the socket; sent from memory that no guest can write.
enum class StubEvent : std::uint32_t { None, MapperReady, ThreadReady, ThreadFailed, CreateFailed };
struct StubReport {
    StubEvent event;
    std::uint32_t stub;
    std::uint32_t slot;
    std::uint32_t generation;  // stubs that share a number, one after the other, differ in it
};

// One system call of the mapper: mmap, munmap or mprotect.
struct MapperOperation {
    std::uint64_t number;
    std::array<std::uint64_t, 6> arguments;
    std::uint64_t padding;
};

inline constexpr unsigned kMaxFilterLength = 48;

// The page by which the kernel process drives a stub's leader and mapper.
struct StubControl {
    std::uint32_t command_sequence;  // futex; each change asks the leader for a thread in `command_slot`
    std::uint32_t command_slot;
    std::uint64_t guest_filter_flags;
    std::uint64_t mapper_filter_flags;
    StubFilterProgram guest_program;
    StubFilterProgram mapper_program;
    StubSocketMessage thread_message;
    StubSocketMessage mapper_message;
    StubSocketMessage failure_message;
    StubIoVector thread_vector, mapper_vector, failure_vector;
    StubReport thread_report, mapper_report, failure_report;
    StubRights rights;
    std::array<sock_filter, kMaxFilterLength> guest_filter;
    std::array<sock_filter, kMaxFilterLength> mapper_filter;
    std::byte unused[KPIO_CONTROL_OPERATIONS - 0x158 - 2 * kMaxFilterLength * sizeof(sock_filter)];
    std::array<MapperOperation, kMapperBatch> operations;
};

struct StubSlot {
    std::uint64_t fs_base, gs_base;  // these and the next are loaded when a notification is answered with the slot
    std::uint64_t stack_pointer;     // of the handler's sigreturn
    StubSignalStack signal_stack;
    std::uint64_t padding[2];
};

static_assert(offsetof(StubControl, command_slot) == KPIO_CONTROL_SLOT);
static_assert(offsetof(StubControl, guest_filter_flags) == KPIO_CONTROL_GUEST_FLAGS);
static_assert(offsetof(StubControl, mapper_filter_flags) == KPIO_CONTROL_MAPPER_FLAGS);
static_assert(offsetof(StubControl, guest_program) == KPIO_CONTROL_GUEST_PROGRAM);
static_assert(offsetof(StubControl, mapper_program) == KPIO_CONTROL_MAPPER_PROGRAM);
static_assert(offsetof(StubControl, thread_message) == KPIO_CONTROL_THREAD_MESSAGE);
static_assert(offsetof(StubControl, mapper_message) == KPIO_CONTROL_MAPPER_MESSAGE);
static_assert(offsetof(StubControl, failure_message) == KPIO_CONTROL_FAILURE_MESSAGE);
static_assert(offsetof(StubControl, operations) == KPIO_CONTROL_OPERATIONS);
static_assert(sizeof(StubControl) == 4096);
static_assert(sizeof(MapperOperation) == 64);
static_assert(offsetof(StubSlot, stack_pointer) == KPIO_SLOT_STACK_POINTER);
static_assert(offsetof(StubSlot, signal_stack) == KPIO_SLOT_SIGNAL_STACK);
static_assert(sizeof(StubSlot) == 1u << KPIO_SLOT_SHIFT);

// One stub's part of the arena, as the kernel process sees it. In the stub it lies at kStubControl.
struct StubArena {
    StubControl control;
    std::array<StubSlot, kMaxSlots> slots;
    std::array<std::array<std::byte, kFramePageBytes>, kMaxSlots> frames;
};
static_assert(offsetof(StubArena, slots) == kStubSlotTable - kStubControl);
static_assert(offsetof(StubArena, frames) == kStubFrames - kStubControl);
static_assert(sizeof(StubArena) == kStubEnd - kStubControl);

inline constexpr unsigned kMaxStubs = 4096;
inline constexpr std::uint64_t kArenaStride = 0x800000;  // of one stub, in the memfd
static_assert(sizeof(StubArena) <= kArenaStride);
// Number 0 is no stub: its first page carries the zygote's parameters.
inline constexpr std::uint64_t kArenaBytes = kMaxStubs * kArenaStride;

// Descriptors that the zygote starts with.
inline constexpr int kZygoteSocket = KPIO_STUB_SOCKET;
inline constexpr int kZygoteGuestMemory = KPIO_STUB_MEMORY;
inline constexpr int kZygoteArena = 2;

struct ZygoteParameters {
    std::int32_t kernel_process;  // its process id, to notice that it is gone already
    std::uint32_t drop_root;      // 1: become kStubUser first
};
inline constexpr unsigned kStubUser = 65534;

// What the kernel process asks of the zygote.
enum class ZygoteCommand : std::uint32_t { Create, End };
struct ZygoteRequest {
    ZygoteCommand command;
    std::uint32_t stub;        // Create: number of the stub
    std::uint32_t generation;  // Create
    std::int32_t process;      // End: the process, already killed, whose id may be given up
};

}  // namespace kernel::platform::hosted
#endif
