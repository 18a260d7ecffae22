// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (c): unmapping, overwriting, protecting, mapping and moving over the stub, and using its memory in calls.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/uio.h>

#include <initializer_list>

#include "hostile/support/attack.h"

namespace {

constexpr std::uint64_t kPlaces[] = {KPIO_STUB_CODE,   KPIO_STUB_CONTROL,    KPIO_STUB_SLOT_TABLE,
                                     KPIO_STUB_FRAMES, KPIO_STUB_END - 4096, KPIO_STUB_CODE - 4096};
constexpr std::uint64_t kSizes[] = {4096, 0x10000, 0x1000000, 0x7ffffffff000 - KPIO_STUB_CODE};

void must_fail(long result, const char* what) {
    if (result != -1) {
        std::fprintf(stderr, "attack: %s was allowed\n", what);
        _exit(attack::kFound);
    }
    attack::check_alive();
}

bool is_stub(std::uint64_t place) {
    return place >= KPIO_STUB_CODE && place < KPIO_STUB_END;
}

void change_mappings(std::uint64_t place, std::uint64_t bytes) {
    constexpr int kFixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    must_fail(syscall(SYS_mmap, place, bytes, PROT_READ | PROT_WRITE, kFixed, -1, 0), "mmap over the stub");
    must_fail(syscall(SYS_mmap, place, bytes, PROT_READ, kFixed | MAP_FIXED_NOREPLACE, -1, 0), "mmap beside the stub");
    must_fail(syscall(SYS_mprotect, place, bytes, PROT_READ | PROT_WRITE | PROT_EXEC), "mprotect of the stub");
    must_fail(syscall(SYS_mremap, place, 4096, 8192, MREMAP_MAYMOVE, 0), "mremap of the stub");
    std::byte* own = attack::map(attack::kPage);
    must_fail(syscall(SYS_mremap, own, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place), "mremap onto the stub");
    munmap(own, attack::kPage);
    must_fail(syscall(SYS_madvise, place, 4096, MADV_DONTNEED), "madvise of the stub");
    // Nothing is there for the guest: unmapping may succeed or fail, but must change nothing.
    syscall(SYS_munmap, place, bytes);
    attack::check_alive();
    syscall(SYS_brk, place);
    attack::check_alive();
}

void use_in_calls(std::uint64_t place) {
    int fds[2];
    if (pipe(fds) != 0) {
        attack::fail("pipe");
    }
    auto* memory = reinterpret_cast<void*>(place);
    must_fail(write(fds[1], memory, 8), "write from the stub");
    if (write(fds[1], "12345678", 8) != 8) {
        attack::fail("write");
    }
    must_fail(read(fds[0], memory, 8), "read into the stub");
    must_fail(open(static_cast<const char*>(memory), O_RDONLY), "a path in the stub");
    must_fail(syscall(SYS_futex, memory, FUTEX_WAKE, 1), "a shared futex in the stub");
    must_fail(syscall(SYS_clock_gettime, 1, memory), "a structure in the stub");
    must_fail(syscall(SYS_getrandom, memory, 64, 0), "random bytes into the stub");
    iovec vector{memory, 8};
    must_fail(readv(fds[0], &vector, 1), "readv into the stub");
    must_fail(syscall(SYS_rt_sigaction, SIGUSR1, memory, nullptr, 8), "sigaction from the stub");
    close(fds[0]);
    close(fds[1]);
}

}  // namespace

int main() {
    attack::require_kpio();
    attack::check_alive();
    for (const std::uint64_t place : kPlaces) {
        for (const std::uint64_t bytes : kSizes) {
            if (is_stub(place)) {
                change_mappings(place, bytes);
            }
        }
        if (is_stub(place)) {
            use_in_calls(place);
        }
    }
    // From below into it, and all there is.
    must_fail(
        syscall(SYS_mmap, KPIO_STUB_CODE - 0x10000, 0x20000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
        "mmap into the stub");
    syscall(SYS_munmap, KPIO_STUB_CODE - 0x10000, 0x100000);
    attack::check_alive();

    // Plain writes: into frames of one's own process they may hit; into code and control pages they must not.
    attack::Outcome outcome;
    for (std::uint64_t at = KPIO_STUB_CODE; at < KPIO_STUB_FRAMES; at += 512) {
        attack::attempt(outcome, [at] {
            *reinterpret_cast<volatile std::uint64_t*>(at) = attack::kMagic;
            _exit(0);
        });
    }
    if (outcome.ended != 0) {
        attack::fail("the stub's code or control page could be written");
    }
    attack::report("writing to the stub's code", outcome);
    outcome = {};
    for (std::uint64_t at = KPIO_STUB_FRAMES; at < KPIO_STUB_FRAMES + 8 * attack::kPage; at += 256) {
        attack::attempt(outcome, [at] {
            for (std::uint64_t offset = 0; offset < 256; offset += 8) {
                *reinterpret_cast<volatile std::uint64_t*>(at + offset) = attack::kMagic;
            }
            getpid();
            _exit(0);
        });
    }
    attack::report("writing to signal frames", outcome);
    // Unmapping everything of one's own.
    outcome = {};
    attack::attempt(outcome, [] { syscall(SYS_munmap, 0, KPIO_STUB_CODE); });
    attack::attempt(outcome, [] { syscall(SYS_munmap, 0, 0x7ffffffff000); });
    attack::report("unmapping everything", outcome);
    attack::check_alive();
    return 0;
}
