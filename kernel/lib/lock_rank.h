// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

// Every lock in the kernel has a rank; a thread may take a lock only if its rank is after all ranks it holds. From
// outermost (taken first) to innermost. Everything signals and wakes, so wait queues, run queues, timers and signal
// queues are near the end; everything allocates, so Slab and Frames are behind them.
#define KPIO_LOCK_RANKS(X) \
    X(TestOuter)           \
    X(ProcessAlarm)        \
    X(PseudoTerminals)     \
    X(AddressSpace)        \
    X(MountTree)           \
    X(RenameTree)          \
    X(Directory)           \
    X(Overlay)             \
    X(Inode)               \
    X(MountTable)          \
    X(DentryCache)         \
    X(InodeStatus)         \
    X(Graveyard)           \
    X(File)                \
    X(EpollGraph)          \
    X(FileObservers)       \
    X(SocketGarbage)       \
    X(SocketNames)         \
    X(Socket)              \
    X(FileLocks)           \
    X(FileWatches)         \
    X(Pipe)                \
    X(EventFile)           \
    X(Channel)             \
    X(Process)             \
    X(SignalHandlers)      \
    X(Terminal)            \
    X(PseudoTerminal)      \
    X(HandleTable)         \
    X(FsContext)           \
    X(Session)             \
    X(ProcessShared)       \
    X(TaskShared)          \
    X(MemoryObject)        \
    X(Amap)                \
    X(PageCache)           \
    X(TestMiddle)          \
    X(Futex)               \
    X(WaitQueue)           \
    X(EpollReady)          \
    X(RunQueue)            \
    X(Timer)               \
    X(SignalQueue)         \
    X(PageMap)             \
    X(Stub)                \
    X(StubPool)            \
    X(HeapCache)           \
    X(Slab)                \
    X(FrameCache)          \
    X(Frames)              \
    X(Platform)            \
    X(TestInner)           \
    X(Log)

namespace kernel {

enum class Rank : std::uint8_t {
#define KPIO_DEFINE_RANK(name) name,
    KPIO_LOCK_RANKS(KPIO_DEFINE_RANK)
#undef KPIO_DEFINE_RANK
};

constexpr const char* rank_name(Rank rank) {
    switch (rank) {
#define KPIO_RANK_CASE(name) \
    case Rank::name:         \
        return #name;
        KPIO_LOCK_RANKS(KPIO_RANK_CASE)
#undef KPIO_RANK_CASE
    }
    return "?";
}

}  // namespace kernel
