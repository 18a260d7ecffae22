// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2): what a new program finds: arguments, environment, auxiliary vector, stack, registers, segments.
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>

#include "system/support/elf_file.h"

namespace {

using elf_file::Folder;

int execute(std::initializer_list<const char*> arguments, std::initializer_list<const char*> environment) {
    return check::child_status([&] {
        std::vector<char*> argument_pointers;
        std::vector<char*> environment_pointers;
        for (const char* argument : arguments) {
            argument_pointers.push_back(const_cast<char*>(argument));
        }
        for (const char* variable : environment) {
            environment_pointers.push_back(const_cast<char*>(variable));
        }
        argument_pointers.push_back(nullptr);
        environment_pointers.push_back(nullptr);
        execve(check::program_path, argument_pointers.data(), environment_pointers.data());
        _exit(127);
    });
}

}  // namespace

#define EXIT_WITH_EDI "mov $60, %eax\n syscall"

// The entry state of the System V ABI, looked at before any C library code: exits with 0, or with the number of the
// rule that does not hold.
MACHINE_CODE(
    entry_code,
    // 1: rsp is a multiple of 16. 2: argc is 2. 3: argv ends with a null pointer. 4: so does the empty environment.
    "mov $1, %edi\n test $15, %rsp\n jnz 1f\n"
    "inc %edi\n cmpq $2, (%rsp)\n jne 1f\n"
    "inc %edi\n cmpq $0, 24(%rsp)\n jne 1f\n"
    "inc %edi\n cmpq $0, 32(%rsp)\n jne 1f\n"
    // 5: argv[1] begins with an A. 6: the direction and alignment flags are clear.
    "inc %edi\n mov 16(%rsp), %rax\n cmpb $0x41, (%rax)\n jne 1f\n"
    "inc %edi\n pushfq\n pop %rax\n test $0x40400, %eax\n jnz 1f\n"
    // 7: these registers are zero (rdx would be a function to register with atexit). 8: mxcsr is initial.
    "inc %edi\n test %rbx, %rbx\n jnz 1f\n test %rbp, %rbp\n jnz 1f\n test %rdx, %rdx\n jnz 1f\n"
    "test %r12, %r12\n jnz 1f\n"
    "inc %edi\n push %rax\n stmxcsr (%rsp)\n pop %rax\n cmp $0x1f80, %eax\n jne 1f\n"
    "xor %edi, %edi\n 1:" EXIT_WITH_EDI)

// Exits with the byte behind the file's end in the same page, plus one a page further.
MACHINE_CODE(read_data_code, "movzbl 0x20001800, %edi\n movzbl 0x20003800, %eax\n add %eax, %edi\n" EXIT_WITH_EDI)
MACHINE_CODE(write_code_code, "movb $1, 0x10001000\n" EXIT_WITH_EDI)
MACHINE_CODE(argument_count_code, "mov (%rsp), %edi\n" EXIT_WITH_EDI)

ROLE(show_arguments) {
    CHECK_EQ(argument_count, 4);
    CHECK_EQ(std::string(arguments[0]), std::string("one"));
    CHECK_EQ(std::string(arguments[1]), std::string());
    CHECK_EQ(std::string(arguments[2]), std::string("with blank\n"));
    CHECK_EQ(std::string(arguments[3]).size(), 100'000u);
    CHECK(arguments[4] == nullptr);
    int count = 0;
    while (environ[count] != nullptr) {
        ++count;
    }
    CHECK_EQ(count, 3);
    CHECK_EQ(std::string(environ[0]), std::string("A=1"));
    CHECK_EQ(std::string(environ[1]), std::string("NOEQUALS"));
    CHECK_EQ(std::string(environ[2]), std::string("A=2"));
    return check::failures;
}

TEST(arguments_and_environment) {
    const std::string large(100'000, 'x');
    CHECK_EXIT(execute({check::program_path, "--role", "show_arguments", "one", "", "with blank\n", large.c_str()},
                       {"A=1", "NOEQUALS", "A=2"}),
               0);
}

ROLE(show_auxiliary_vector) {
    CHECK_EQ(getauxval(AT_PAGESZ), 4096u);
    CHECK_EQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
    CHECK(getauxval(AT_PHNUM) > 0);
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_EUID), geteuid());
    CHECK_EQ(getauxval(AT_GID), getgid());
    CHECK_EQ(getauxval(AT_EGID), getegid());
    CHECK_EQ(getauxval(AT_SECURE), 0u);
    CHECK_EQ(getauxval(AT_CLKTCK), 100u);
    CHECK_EQ(getauxval(AT_BASE), 0u);
    CHECK(getauxval(AT_HWCAP) != 0);
    CHECK_EQ(std::string(reinterpret_cast<const char*>(getauxval(AT_PLATFORM))), std::string("x86_64"));
    CHECK_EQ(std::string(reinterpret_cast<const char*>(getauxval(AT_EXECFN))), std::string(check::program_path));
    const auto* random = reinterpret_cast<const unsigned char*>(getauxval(AT_RANDOM));
    unsigned sum = 0;
    for (int i = 0; i < 16; ++i) {
        sum += random[i];
    }
    CHECK(sum != 0);
    // The program headers in memory are those of this program.
    const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
    const auto entry = getauxval(AT_ENTRY);
    bool entry_is_executable = false;
    for (std::size_t i = 0; i < getauxval(AT_PHNUM); ++i) {
        if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_X) != 0) {
            entry_is_executable =
                entry_is_executable || (entry >= headers[i].p_vaddr && entry < headers[i].p_vaddr + headers[i].p_memsz);
        }
    }
    CHECK(entry_is_executable);
    return check::failures;
}

TEST(auxiliary_vector) {
    CHECK_EXIT(execute({check::program_path, "--role", "show_auxiliary_vector"}, {}), 0);
}

ROLE(print_random) {
    (void)!write(STDERR_FILENO, reinterpret_cast<const char*>(getauxval(AT_RANDOM)), 16);
    return 0;
}

TEST(random_bytes_differ) {
    std::string seen[2];
    for (std::string& bytes : seen) {
        int out[2];
        REQUIRE(pipe(out) == 0);
        CHECK_CHILD([&] {
            dup2(out[1], STDERR_FILENO);
            CHECK_EXIT(execute({check::program_path, "--role", "print_random"}, {}), 0);
        });
        bytes.resize(16);
        CHECK_EQ(read(out[0], bytes.data(), 16), 16);
        close(out[0]);
        close(out[1]);
    }
    CHECK(seen[0] != seen[1]);
}

TEST(entry_state) {
    Folder folder;
    const std::string path = folder.add("entry", elf_file::image(entry_code()).bytes());
    CHECK_EXIT(elf_file::run_status(path, {"A"}), 0);
}

TEST(uninitialised_data_is_zero) {
    elf_file::Image image = elf_file::image(read_data_code());
    image.code.resize(0x1000, '\x55');
    Elf64_Phdr data{};
    data.p_type = PT_LOAD;
    data.p_flags = PF_R | PF_W;
    data.p_offset = 0x1000;
    data.p_vaddr = 0x20001000;
    data.p_filesz = 0x800;
    data.p_memsz = 0x4000;
    data.p_align = 0x1000;
    image.segments.push_back(data);
    image.header.e_phnum = 2;
    Folder folder;
    CHECK_EXIT(elf_file::run_status(folder.add("bss", image.bytes())), 0);
}

TEST(segments_are_protected) {
    Folder folder;
    CHECK_SIGNALED(elf_file::run_status(folder.add("readonly", elf_file::image(write_code_code()).bytes())), SIGSEGV);
    elf_file::Image image = elf_file::image(elf_file::exit_code(0));
    image.segments[0].p_flags = PF_R;
    CHECK_SIGNALED(elf_file::run_status(folder.add("noexec", image.bytes())), SIGSEGV);
}

ROLE(use_much_stack) {
    // Grows on demand, far below what was mapped at the start.
    volatile char block[6 << 20];
    for (std::size_t i = sizeof(block); i >= 4096; i -= 4096) {
        block[i - 4096] = 1;
    }
    return block[0] - 1;
}

TEST(the_stack_grows) {
    CHECK_CHILD([] {
        const rlimit limit{8 << 20, RLIM_INFINITY};
        CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
        CHECK_EXIT(execute({check::program_path, "--role", "use_much_stack"}, {}), 0);
        const rlimit small{1 << 20, RLIM_INFINITY};
        CHECK_OK(setrlimit(RLIMIT_STACK, &small));
        CHECK_SIGNALED(execute({check::program_path, "--role", "use_much_stack"}, {}), SIGSEGV);
    });
}

TEST(no_arguments) {
    Folder folder;
    // Linux 5.18 puts an empty string there when there is none: argc is 1 then, 0 on older kernels.
    const std::string path = folder.add("count", elf_file::image(argument_count_code()).bytes());
    const int status = check::child_status([&] {
        syscall(SYS_execve, path.c_str(), nullptr, nullptr);
        _exit(127);
    });
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
}

TEST_MAIN()
