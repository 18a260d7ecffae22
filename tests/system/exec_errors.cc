// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2): every documented error, and that a failed call changes nothing.
#include <sys/mman.h>
#include <sys/resource.h>

#include <functional>

#include "system/support/elf_file.h"

namespace {

using elf_file::Folder;
using elf_file::Image;
using elf_file::run_errno;

std::string good() {
    return elf_file::image(elf_file::exit_code(42)).bytes();
}

// errno for an image changed in one way.
int changed_errno(Folder& folder, const std::function<void(Image&)>& change) {
    Image image = elf_file::image(elf_file::exit_code(42));
    change(image);
    return run_errno(folder.add("changed", image.bytes()).c_str());
}

}  // namespace

TEST(it_works_at_all) {
    Folder folder;
    CHECK_EXIT(elf_file::run_status(folder.add("good", good())), 42);
}

TEST(names) {
    Folder folder;
    const std::string program = folder.add("good", good());
    CHECK_EQ(run_errno((folder.path() + "/missing").c_str()), ENOENT);
    CHECK_EQ(run_errno((folder.path() + "/missing/deeper").c_str()), ENOENT);
    CHECK_EQ(run_errno(""), ENOENT);
    CHECK_EQ(run_errno((program + "/deeper").c_str()), ENOTDIR);
    CHECK_EQ(run_errno((program + "/").c_str()), ENOTDIR);
    CHECK_EQ(run_errno(folder.path().c_str()), EACCES);
    CHECK_EQ(run_errno(("/" + std::string(300, 'n')).c_str()), ENAMETOOLONG);
    CHECK_EQ(run_errno(std::string(5000, '/').c_str()), ENAMETOOLONG);
    const std::string loop = folder.link("loop", "loop");
    CHECK_EQ(run_errno(loop.c_str()), ELOOP);
    const std::string dangling = folder.link("dangling", "nowhere");
    CHECK_EQ(run_errno(dangling.c_str()), ENOENT);
    const std::string link = folder.link("link", program);
    CHECK_EXIT(elf_file::run_status(link), 42);
    CHECK_EQ(run_errno(reinterpret_cast<const char*>(8)), EFAULT);
    CHECK_EQ(run_errno(nullptr), EFAULT);
}

TEST(permissions) {
    Folder folder;
    CHECK_EQ(run_errno(folder.add("plain", good(), 0644).c_str()), EACCES);
    const std::string unreadable = folder.add("unreadable", good(), 0111);
    CHECK_EXIT(elf_file::run_status(unreadable), 42);
    const std::string fifo = folder.path() + "/fifo";
    CHECK_OK(mkfifo(fifo.c_str(), 0777));
    CHECK_EQ(run_errno(fifo.c_str()), EACCES);
    unlink(fifo.c_str());
    CHECK_EQ(run_errno("/dev/null"), EACCES);
    if (getuid() == 0) {
        const std::string owners = folder.add("owners", good(), 0700);
        CHECK_CHILD([&] {
            CHECK_OK(setresuid(1234, 1234, 1234));
            CHECK_EQ(run_errno(owners.c_str()), EACCES);
        });
        CHECK_OK(chmod(folder.path().c_str(), 0600));
        CHECK_CHILD([&] {
            CHECK_OK(setresuid(1234, 1234, 1234));
            CHECK_EQ(run_errno(unreadable.c_str()), EACCES);
        });
        CHECK_OK(chmod(folder.path().c_str(), 0755));
    }
}

TEST(open_for_writing) {
    Folder folder;
    const std::string program = folder.add("good", good());
    const int fd = open(program.c_str(), O_WRONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(run_errno(program.c_str()), ETXTBSY);
    close(fd);
    CHECK_EXIT(elf_file::run_status(program), 42);
}

TEST(formats) {
    Folder folder;
    CHECK_EQ(run_errno(folder.add("empty", "").c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("text", "echo hello\n").c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("short", std::string_view("\177ELF", 4)).c_str()), ENOEXEC);
    CHECK_EQ(run_errno(folder.add("header", std::string_view(good()).substr(0, 60)).c_str()), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_ident[0] = 'X'; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_machine = EM_AARCH64; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_type = ET_REL; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_type = ET_CORE; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_phentsize = 7; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_phnum = 0; }), ENOEXEC);
    CHECK_EQ(changed_errno(folder, [](Image& i) { i.header.e_phnum = 0xffff; }), ENOEXEC);
    // The program headers lie behind the end of the file.
    const int behind = changed_errno(folder, [](Image& i) { i.header.e_phoff = 1 << 30; });
    CHECK(behind == EIO || behind == ENOEXEC);
}

TEST(interpreters) {
    Folder folder;
    const auto with_interpreter = [&](const std::string& name) {
        return changed_errno(folder, [&](Image& i) {
            Elf64_Phdr interpreter{};
            interpreter.p_type = PT_INTERP;
            interpreter.p_offset = elf_file::kCodeOffset + i.code.size();
            interpreter.p_filesz = interpreter.p_memsz = name.size();
            i.code += name;
            i.segments.insert(i.segments.begin(), interpreter);
            i.header.e_phnum = 2;
        });
    };
    CHECK_EQ(with_interpreter(std::string("/missing\0", 9)), ENOENT);
    CHECK_EQ(with_interpreter("/not-terminated"), ENOEXEC);
    CHECK_EQ(with_interpreter(std::string("/\0", 2)), EACCES);
    const std::string text = folder.add("text", std::string(200, 'x'));
    CHECK_EQ(with_interpreter(text + '\0'), ELIBBAD);
}

TEST(arguments_too_long) {
    Folder folder;
    const std::string program = folder.add("good", good());
    // One string is limited to 32 pages, its end included.
    CHECK_EXIT(elf_file::run_status(program, {std::string(131071, 'x')}), 42);
    std::string name = "program";
    std::string large(131072, 'x');
    char* too_large[] = {name.data(), large.data(), nullptr};
    char* none[] = {nullptr};
    CHECK_ERRNO(execve(program.c_str(), too_large, none), E2BIG);
    char* only_name[] = {name.data(), nullptr};
    CHECK_ERRNO(execve(program.c_str(), only_name, too_large), E2BIG);
    // All together to a quarter of the stack limit, 128 KiB at least.
    large.resize(100'000);
    std::vector<char*> many(30, large.data());
    many.push_back(nullptr);
    CHECK_ERRNO(execve(program.c_str(), many.data(), none), E2BIG);
    CHECK_CHILD([&] {
        const rlimit limit{512 << 10, RLIM_INFINITY};
        CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
        many = {large.data(), large.data(), nullptr};
        CHECK_ERRNO(execve(program.c_str(), many.data(), none), E2BIG);
    });
}

TEST(bad_pointers) {
    Folder folder;
    const std::string program = folder.add("good", good());
    CHECK_ERRNO(syscall(SYS_execve, program.c_str(), 8, nullptr), EFAULT);
    CHECK_ERRNO(syscall(SYS_execve, program.c_str(), nullptr, 8), EFAULT);
    std::string name = "program";
    char* bad_string[] = {name.data(), reinterpret_cast<char*>(8), nullptr};
    char* none[] = {nullptr};
    CHECK_ERRNO(execve(program.c_str(), bad_string, none), EFAULT);
    // An array that runs into unmapped memory.
    auto* memory =
        static_cast<std::byte*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    munmap(memory + 4096, 4096);
    char* pointer = name.data();
    std::memcpy(memory + 4088, &pointer, 8);
    CHECK_ERRNO(syscall(SYS_execve, program.c_str(), memory + 4088, nullptr), EFAULT);
    std::memcpy(memory + 4095, "x", 1);
    const std::byte* unterminated[] = {memory + 4095, nullptr};
    CHECK_ERRNO(syscall(SYS_execve, program.c_str(), unterminated, nullptr), EFAULT);
    munmap(memory, 4096);
}

TEST_MAIN()
