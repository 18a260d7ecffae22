// SPDX-License-Identifier: MIT OR Apache-2.0
// Signals that the processor causes: number, code and address, and the context at the instruction.
#include <fpu_control.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdint>

#include "system/support/check.h"

namespace {

sigjmp_buf back;
siginfo_t info;
greg_t fault_ip;
greg_t fault_error;
greg_t fault_trap;
greg_t fault_cr2;

void note(int, siginfo_t* seen, void* context) {
    info = *seen;
    const auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    fault_ip = registers[REG_RIP];
    fault_error = registers[REG_ERR];
    fault_trap = registers[REG_TRAPNO];
    fault_cr2 = registers[REG_CR2];
    siglongjmp(back, 1);
}

void install() {
    struct sigaction action{};
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO;
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) {
        CHECK_OK(sigaction(number, &action, nullptr));
    }
}

// Runs `function`, which must cause the signal.
template <class Function>
bool faults(int number, int code, Function function) {
    info = {};
    if (sigsetjmp(back, 1) == 0) {
        function();
        check::failed(__FILE__, __LINE__, "no signal " + std::to_string(number));
        return false;
    }
    return CHECK_EQ(info.si_signo, number) && CHECK_EQ(info.si_code, code);
}

volatile std::byte* map(int protection) {
    void* at = mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<volatile std::byte*>(at);
}

void* plain(volatile std::byte* pointer) {
    return const_cast<std::byte*>(pointer);
}

}  // namespace

TEST(unmapped_memory) {
    install();
    volatile std::byte* memory = map(PROT_READ | PROT_WRITE);
    CHECK_OK(munmap(plain(memory), 4096));
    CHECK(faults(SIGSEGV, SEGV_MAPERR, [&] { (void)memory[5]; }));
    CHECK(info.si_addr == plain(memory + 5));
    CHECK_EQ(fault_trap, 14);
    CHECK_EQ(fault_error & 6, 4);
    CHECK_EQ(fault_cr2, reinterpret_cast<greg_t>(plain(memory + 5)));
    CHECK(faults(SIGSEGV, SEGV_MAPERR, [&] { memory[6] = std::byte{1}; }));
    CHECK_EQ(fault_error & 6, 6);
    CHECK(faults(SIGSEGV, SEGV_MAPERR, [] { (void)*reinterpret_cast<volatile int*>(16); }));
    CHECK(info.si_addr == reinterpret_cast<void*>(16));
}

TEST(protected_memory) {
    install();
    volatile std::byte* none = map(PROT_NONE);
    CHECK(faults(SIGSEGV, SEGV_ACCERR, [&] { (void)none[1]; }));
    CHECK(info.si_addr == plain(none + 1));
    volatile std::byte* read_only = map(PROT_READ);
    CHECK(read_only[7] == std::byte{0});
    CHECK(faults(SIGSEGV, SEGV_ACCERR, [&] { read_only[7] = std::byte{1}; }));
    CHECK(info.si_addr == plain(read_only + 7));
    munmap(plain(none), 4096);
    munmap(plain(read_only), 4096);
}

TEST(not_executable) {
    install();
    volatile std::byte* memory = map(PROT_READ | PROT_WRITE);
    memory[0] = std::byte{0xc3};
    const auto function = reinterpret_cast<void (*)()>(plain(memory));
    CHECK(faults(SIGSEGV, SEGV_ACCERR, function));
    CHECK(info.si_addr == plain(memory));
    CHECK_EQ(fault_ip, reinterpret_cast<greg_t>(plain(memory)));
    CHECK_EQ(fault_error & 0x10, 0x10);
    CHECK_OK(mprotect(plain(memory), 4096, PROT_READ | PROT_EXEC));
    function();
    munmap(plain(memory), 4096);
}

TEST(addresses_that_no_page_can_have) {
    install();
    // Not canonical: a general protection fault, which has no address.
    const auto wild = reinterpret_cast<volatile int*>(0x8000'0000'0000'0000u);
    CHECK(faults(SIGSEGV, SI_KERNEL, [&] { (void)*wild; }));
    CHECK(info.si_addr == nullptr);
    CHECK_EQ(fault_trap, 13);
    const auto kernel = reinterpret_cast<volatile int*>(0xffff'8000'0000'0000u);
    CHECK(faults(SIGSEGV, SEGV_MAPERR, [&] { (void)*kernel; }));
    CHECK(info.si_addr == const_cast<int*>(kernel));
    const auto last = reinterpret_cast<volatile char*>(0x7fff'ffff'f000u);
    CHECK(faults(SIGSEGV, SEGV_MAPERR, [&] { (void)*last; }));
}

TEST(privileged_instructions) {
    install();
    CHECK(faults(SIGSEGV, SI_KERNEL, [] { asm volatile("hlt"); }));
    CHECK(faults(SIGSEGV, SI_KERNEL, [] { asm volatile("cli"); }));
    CHECK(faults(SIGSEGV, SI_KERNEL, [] { asm volatile("outb %%al, $0x80" ::"a"(0)); }));
    CHECK(faults(SIGSEGV, SI_KERNEL, [] { asm volatile("mov %0, %%cr3" ::"r"(0ul)); }));
    CHECK(faults(SIGSEGV, SI_KERNEL, [] { asm volatile("int $0x55"); }));
}

TEST(illegal_instruction) {
    install();
    static const void* here;
    CHECK(faults(SIGILL, ILL_ILLOPN, [] {
        asm volatile("lea 0f(%%rip), %%rax\n\tmov %%rax, %0\n0:\tud2" : "=m"(here)::"rax");
    }));
    CHECK(info.si_addr == here);
    CHECK_EQ(fault_ip, reinterpret_cast<greg_t>(here));
    CHECK_EQ(fault_trap, 6);
}

TEST(division) {
    install();
    CHECK(faults(SIGFPE, FPE_INTDIV, [] {
        asm volatile("xor %%ecx, %%ecx\n\tmov $1, %%eax\n\tcltd\n\tidiv %%ecx" ::: "rax", "rcx", "rdx");
    }));
    CHECK_EQ(reinterpret_cast<greg_t>(info.si_addr), fault_ip);
    CHECK_EQ(fault_trap, 0);
}

TEST(floating_point) {
    install();
    CHECK(faults(SIGFPE, FPE_FLTDIV, [] {
        const std::uint32_t unmasked = 0x1f80 & ~0x200u;
        asm volatile(
            "ldmxcsr %0\n\txorps %%xmm0, %%xmm0\n\tpcmpeqd %%xmm1, %%xmm1\n\tpslld $25, %%xmm1\n\t"
            "psrld $2, %%xmm1\n\tdivss %%xmm0, %%xmm1" ::"m"(unmasked)
            : "xmm0", "xmm1");
    }));
    CHECK_EQ(fault_trap, 19);
    const std::uint32_t standard = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(standard));
}

TEST(breakpoint_and_single_step) {
    install();
    static const void* after;
    CHECK(faults(SIGTRAP, SI_KERNEL, [] {
        asm volatile("lea 0f(%%rip), %%rax\n\tmov %%rax, %0\n\tint3\n0:" : "=m"(after)::"rax");
    }));
    CHECK_EQ(fault_ip, reinterpret_cast<greg_t>(after));  // a trap: behind the instruction
    CHECK(faults(SIGTRAP, TRAP_TRACE, [] {
        asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tlea 0f(%%rip), %%rax\n0:\tnop" ::
                         : "rax", "memory");
    }));
}

TEST(behind_the_end_of_a_file) {
    install();
    char path[] = "/tmp/kpio_fault_XXXXXX";
    const int fd = mkstemp(path);
    unlink(path);
    CHECK_EQ(write(fd, "hello", 5), 5);
    auto* memory = static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    CHECK_EQ(memory[0], 'h');
    CHECK_EQ(memory[4095], 0);
    CHECK(faults(SIGBUS, BUS_ADRERR, [&] { (void)memory[4096]; }));
    CHECK(info.si_addr == const_cast<char*>(memory + 4096));
    CHECK_OK(ftruncate(fd, 0));
    CHECK(faults(SIGBUS, BUS_ADRERR, [&] { memory[0] = 'x'; }));
    CHECK_OK(ftruncate(fd, 8192));
    CHECK_EQ(memory[4096], 0);
    CHECK_EQ(memory[0], 0);
    munmap(const_cast<char*>(memory), 8192);
    close(fd);
}

TEST(alignment_check) {
    install();
    CHECK(faults(SIGBUS, BUS_ADRALN, [] {
        asm volatile("pushfq\n\torl $0x40000, (%%rsp)\n\tpopfq\n\tmov 1(%%rsp), %%eax" ::: "rax", "memory");
    }));
    asm volatile("pushfq\n\tandl $0xfffbffff, (%%rsp)\n\tpopfq" ::: "memory");
}

TEST(a_fault_cannot_be_blocked_or_ignored) {
    const rlimit none{0, 0};
    CHECK_OK(setrlimit(RLIMIT_CORE, &none));
    const auto fault = [] { *reinterpret_cast<volatile int*>(16) = 1; };
    CHECK_SIGNALED(check::child_status([&] {
                       install();
                       sigset_t set;
                       sigemptyset(&set);
                       sigaddset(&set, SIGSEGV);
                       CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
                       fault();
                   }),
                   SIGSEGV);
    CHECK_SIGNALED(check::child_status([&] {
                       signal(SIGSEGV, SIG_IGN);
                       fault();
                   }),
                   SIGSEGV);
}

TEST_MAIN()
