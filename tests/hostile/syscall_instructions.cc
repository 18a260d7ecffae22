// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (a): every instruction that can enter the host's kernel, from everywhere, with every number.
#include <initializer_list>

#include "hostile/support/attack.h"

namespace {

constexpr long kLastNumber = 512;
constexpr std::uint64_t kX32 = 0x4000'0000;
constexpr std::uint64_t kVsyscall = 0xffff'ffff'ff60'0000;

long call(std::uint64_t number, std::uint64_t first, std::uint64_t second) {
    long result;
    asm volatile("xor %%r10d, %%r10d\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\tsyscall"
                 : "=a"(result)
                 : "a"(number), "D"(first), "S"(second), "d"(0)
                 : "rcx", "r8", "r9", "r10", "r11", "memory");
    return result;
}

// The 32-bit gate takes its first argument from ebx: the low half of the mark.
long call_int80(std::uint64_t number) {
    long result;
    asm volatile("int $0x80"
                 : "=a"(result)
                 : "a"(number), "b"(attack::kMagic & 0xffff'ffff), "c"(0), "d"(0)
                 : "memory");
    return result;
}

void sysenter(std::uint64_t number) {
    asm volatile("sysenter" ::"a"(number), "b"(attack::kMagic & 0xffff'ffff), "D"(attack::kMagic), "S"(0), "d"(0)
                 : "rcx", "r11", "memory");
}

// Code in anonymous memory: syscall; ret.
using Code = long (*)();
Code anonymous_code(std::byte* at) {
    std::memcpy(at, "\x0f\x05\xc3", 3);
    if (mprotect(at, attack::kPage, PROT_READ | PROT_EXEC) != 0) {
        attack::fail("mprotect");
    }
    return reinterpret_cast<Code>(at);
}

long call_code(Code code, std::uint64_t number) {
    long result;
    asm volatile("call *%1"
                 : "=a"(result)
                 : "r"(code), "a"(number), "D"(attack::kMagic), "S"(0), "d"(0)
                 : "rcx", "r11", "memory");
    return result;
}

// In a 32-bit code segment, below 4 GiB: int 0x80, sysenter, syscall.
void from_32_bit_code(const char* bytes, std::size_t count, std::uint64_t number) {
    auto* low = static_cast<std::byte*>(mmap(reinterpret_cast<void*>(0x20000000), 2 * attack::kPage,
                                             PROT_READ | PROT_WRITE | PROT_EXEC,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    if (low == MAP_FAILED) {
        attack::fail("mmap");
    }
    std::memcpy(low, bytes, count);
    std::memcpy(low + count, "\xf4", 1);  // hlt
    asm volatile(
        "mov %[stack], %%rsp\n\tpush $0x23\n\tpush %[entry]\n\tlretq" ::[entry] "r"(low), [stack] "r"(low + 8192 - 64),
        "a"(number), "b"(attack::kMagic & 0xffff'ffff), "c"(0), "d"(0)
        : "memory");
}

bool ends_or_blocks(long number) {
    for (const long skipped : {SYS_exit, SYS_exit_group, SYS_fork, SYS_vfork, SYS_clone, SYS_kill, SYS_pause}) {
        if (number == skipped) {
            return true;
        }
    }
    return false;
}

}  // namespace

int main() {
    attack::require_kpio();
    attack::Outcome outcome;
    for (long number = 0; number < kLastNumber; ++number) {
        const auto unsigned_number = static_cast<std::uint64_t>(number);
        attack::attempt(outcome, [&] { call(unsigned_number, attack::kMagic, 0); });
        attack::attempt(outcome, [&] { call(unsigned_number | kX32, attack::kMagic, 0); });
        attack::attempt(outcome, [&] { call(unsigned_number | 0xffff'ffff'0000'0000, attack::kMagic, 0); });
    }
    attack::report("syscall, x32 numbers", outcome);

    outcome = {};
    for (std::uint64_t number = 0; number < kLastNumber; number += 3) {
        attack::attempt(outcome, [&] { call_int80(number); });
        attack::attempt(outcome, [&] { sysenter(number); });
    }
    attack::report("int 0x80, sysenter", outcome);

    outcome = {};
    for (std::uint64_t number = 0; number < 400; number += 7) {
        attack::attempt(outcome, [&] { from_32_bit_code("\xcd\x80", 2, number); });
        attack::attempt(outcome, [&] { from_32_bit_code("\x0f\x34", 2, number); });
        attack::attempt(outcome, [&] { from_32_bit_code("\x0f\x05", 2, number); });
    }
    attack::report("from a 32-bit code segment", outcome);

    outcome = {};
    std::byte* memory = attack::map(attack::kPage);
    const Code code = anonymous_code(memory);
    for (long number = 0; number < kLastNumber; number += 2) {
        if (!ends_or_blocks(number)) {
            attack::attempt(outcome, [&] { call_code(code, static_cast<std::uint64_t>(number)); });
        }
    }
    // As near to the stub as a guest can map.
    for (std::uint64_t near = KPIO_STUB_CODE - 0x40'0000; near < KPIO_STUB_CODE + 0x80'0000; near += 0x1'0000) {
        void* at = mmap(reinterpret_cast<void*>(near), attack::kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (at == reinterpret_cast<void*>(near)) {
            const Code there = anonymous_code(static_cast<std::byte*>(at));
            attack::attempt(outcome, [&] { call_code(there, SYS_close); });
            munmap(at, attack::kPage);
        }
    }
    attack::report("from anonymous memory", outcome);

    outcome = {};
    for (std::uint64_t offset : {0u, 0x400u, 0x800u, 0xc00u, 0x10u}) {
        attack::attempt(outcome, [&] {
            std::int64_t value[2] = {-1, -1};
            const auto function = reinterpret_cast<long (*)(std::int64_t*, void*)>(kVsyscall + offset);
            function(value, nullptr);
        });
    }
    attack::report("the vsyscall page", outcome);
    attack::check_alive();
    return 0;
}
