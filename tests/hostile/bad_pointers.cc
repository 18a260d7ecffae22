// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (f): every call with every kind of bad pointer at every place, and memory that other threads change meanwhile.
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>

#include <atomic>
#include <initializer_list>
#include <thread>

#include "hostile/support/attack.h"

namespace {

constexpr long kLastNumber = 470;

bool is_left_out(long number) {
    // They end the process or wait for ever by themselves.
    for (const long skipped : {SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_pause, SYS_vfork, SYS_fork, SYS_munmap,
                               SYS_brk, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo}) {
        if (number == skipped) {
            return true;
        }
    }
    return false;
}

void try_pointers(long number, const std::uint64_t (&pointers)[14]) {
    alarm(5);
    for (const std::uint64_t pointer : pointers) {
        const std::uint64_t valid[2] = {};
        const auto other = reinterpret_cast<std::uint64_t>(valid);
        syscall(number, pointer, 1, 1, 1, 1, 1);
        syscall(number, 1, pointer, 8, 0, 0, 0);
        syscall(number, 0, 1, pointer, 8, 0, 0);
        syscall(number, other, pointer, pointer, pointer, pointer, pointer);
        syscall(number, pointer, pointer, pointer, pointer, pointer, pointer);
        syscall(number, -100, pointer, pointer, pointer, 0, 0);
    }
}

// Paths, vectors and poll sets that change while calls read them: no crash, no value that was never there.
void change_while_reading() {
    static char path[64] = "/tmp/aaaaaaaaaaaaaaaaaaaaaaaa";
    static iovec vectors[16];
    static char buffer[256];
    static pollfd polls[16];
    static char* arguments[8];
    std::atomic<bool> stop = false;
    for (iovec& vector : vectors) {
        vector = {buffer, 16};
    }
    std::thread changer([&] {
        std::uint64_t state = 1;
        while (!stop) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const auto index = static_cast<std::size_t>(state >> 60);
            path[5 + index] = (state & 0x1000) != 0 ? '/' : '\0';
            path[5 + (index + 3) % 16] = '.';
            vectors[index].iov_base = reinterpret_cast<void*>((state & 0x2000) != 0 ? 8 : KPIO_STUB_CODE);
            vectors[index].iov_len = (state & 0x4000) != 0 ? ~0ul : state >> 20;
            polls[index].fd = static_cast<int>(state >> 33);
            arguments[index % 7] = reinterpret_cast<char*>((state & 0x8000) != 0 ? state : 0);
            vectors[(index + 5) % 16] = {buffer, 16};
        }
    });
    const int zero = open("/dev/zero", O_RDWR);
    for (int i = 0; i < 3000; ++i) {
        close(open(path, O_RDONLY | O_NONBLOCK));
        readv(zero, vectors, 16);
        writev(zero, vectors, 16);
        poll(polls, 16, 0);
        if (i % 50 == 0) {
            execve(path, arguments, arguments);
        }
    }
    stop = true;
    changer.join();
}

// A buffer that is unmapped and mapped again while calls fill it.
void unmap_while_filling() {
    std::byte* memory = attack::map(16 * attack::kPage);
    std::atomic<bool> stop = false;
    std::thread changer([&] {
        while (!stop) {
            munmap(memory, 16 * attack::kPage);
            mmap(memory, 16 * attack::kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        }
    });
    const int zero = open("/dev/zero", O_RDWR);
    for (int i = 0; i < 3000; ++i) {
        const long count = read(zero, memory + 100, 15 * attack::kPage);
        if (count == 0 || count > static_cast<long>(15 * attack::kPage)) {
            attack::fail("read");
        }
    }
    stop = true;
    changer.join();
}

}  // namespace

int main() {
    attack::require_kpio();
    std::byte* none = attack::map(3 * attack::kPage);
    mprotect(none + attack::kPage, attack::kPage, PROT_NONE);
    std::byte* read_only = attack::map(attack::kPage, PROT_READ);
    const auto address = [](const std::byte* at) { return reinterpret_cast<std::uint64_t>(at); };
    const std::uint64_t pointers[14] = {0,
                                        1,
                                        8,
                                        0xffff'8000'0000'0000,
                                        0x8000'0000'0000,
                                        0x1234'5678'9abc'def0,
                                        ~0ul,
                                        KPIO_STUB_CODE,
                                        KPIO_STUB_CONTROL,
                                        KPIO_STUB_FRAMES,
                                        address(none) + attack::kPage - 3,
                                        address(none) + attack::kPage,
                                        address(read_only),
                                        0x7fff'0000'0000 - 4};
    attack::Outcome outcome;
    for (long number = 0; number < kLastNumber; ++number) {
        if (!is_left_out(number)) {
            attack::attempt(outcome, [&] { try_pointers(number, pointers); }, 1000);
        }
    }
    attack::report("bad pointers", outcome);
    outcome = {};
    for (int round = 0; round < 3; ++round) {
        attack::attempt(outcome, change_while_reading, 20'000);
        attack::attempt(outcome, unmap_while_filling, 20'000);
    }
    attack::report("memory that changes", outcome);
    if (outcome.ended != 6) {
        attack::fail("a call under changing memory hung or killed");
    }
    attack::check_alive();
    return 0;
}
