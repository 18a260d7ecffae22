// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes small ELF executables whose code is a few bytes of the test's choosing.
#pragma once

#include <elf.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "system/support/check.h"

namespace elf_file {

constexpr std::uint64_t kBase = 0x10000000;
constexpr std::uint64_t kCodeOffset = 0x1000;

// One file of headers, then code at kCodeOffset, mapped read-execute at kBase; tests change the headers as they like.
struct Image {
    Elf64_Ehdr header{};
    std::vector<Elf64_Phdr> segments;
    std::string code;

    std::string bytes() const {
        std::string file(kCodeOffset, '\0');
        std::memcpy(file.data(), &header, sizeof(header));
        std::memcpy(file.data() + sizeof(header), segments.data(), segments.size() * sizeof(Elf64_Phdr));
        return file + code;
    }
};

inline Image image(std::string_view code) {
    Image made;
    made.code = code;
    std::memcpy(made.header.e_ident, ELFMAG, SELFMAG);
    made.header.e_ident[EI_CLASS] = ELFCLASS64;
    made.header.e_ident[EI_DATA] = ELFDATA2LSB;
    made.header.e_ident[EI_VERSION] = EV_CURRENT;
    made.header.e_type = ET_EXEC;
    made.header.e_machine = EM_X86_64;
    made.header.e_version = EV_CURRENT;
    made.header.e_entry = kBase + kCodeOffset;
    made.header.e_phoff = sizeof(Elf64_Ehdr);
    made.header.e_ehsize = sizeof(Elf64_Ehdr);
    made.header.e_phentsize = sizeof(Elf64_Phdr);
    made.header.e_phnum = 1;
    Elf64_Phdr load{};
    load.p_type = PT_LOAD;
    load.p_flags = PF_R | PF_X;
    load.p_vaddr = kBase;
    load.p_paddr = kBase;
    load.p_filesz = load.p_memsz = kCodeOffset + code.size();
    load.p_align = 0x1000;
    made.segments.push_back(load);
    return made;
}

// Defines NAME(), the bytes of these instructions; they must not depend on where they are.
#define MACHINE_CODE(name, ...)                                                                  \
    asm(".pushsection .rodata\n" #name "_begin:\n" __VA_ARGS__ "\n" #name "_end:\n.popsection"); \
    extern "C" const char name##_begin[];                                                        \
    extern "C" const char name##_end[];                                                          \
    static std::string_view name() {                                                             \
        return {name##_begin, static_cast<std::size_t>(name##_end - name##_begin)};              \
    }

// mov $60, %eax; mov $status, %edi; syscall
inline std::string exit_code(std::uint8_t status) {
    return std::string("\xb8\x3c\0\0\0\xbf", 6) + static_cast<char>(status) + std::string("\0\0\0\x0f\x05", 5);
}

// A new executable file under `folder`; empty contents are allowed.
inline std::string write_file(const std::string& folder, const std::string& name, std::string_view contents,
                              mode_t mode = 0755) {
    const std::string path = folder + "/" + name;
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size()));
    REQUIRE(fchmod(fd, mode) == 0);
    close(fd);
    return path;
}

// A folder that is removed, with the files in it, at the end.
class Folder {
public:
    Folder() {
        char name[] = "/tmp/kpio_exec_XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
        chmod(name, 0755);
    }
    ~Folder() {
        for (const std::string& file : files_) {
            unlink(file.c_str());
        }
        rmdir(path_.c_str());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string add(const std::string& name, std::string_view contents, mode_t mode = 0755) {
        files_.push_back(write_file(path_, name, contents, mode));
        return files_.back();
    }
    std::string link(const std::string& name, const std::string& target) {
        files_.push_back(path_ + "/" + name);
        REQUIRE(symlink(target.c_str(), files_.back().c_str()) == 0);
        return files_.back();
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    std::vector<std::string> files_;
};

// Executes in a child and returns its wait status; 255 when execve failed.
inline int run_status(const std::string& path, std::vector<std::string> arguments = {}) {
    return check::child_status([&] {
        std::vector<char*> pointers;
        arguments.insert(arguments.begin(), path);
        for (std::string& argument : arguments) {
            pointers.push_back(argument.data());
        }
        pointers.push_back(nullptr);
        char* environment[] = {nullptr};
        execve(path.c_str(), pointers.data(), environment);
        _exit(255);
    });
}

// errno of execve, which must fail.
inline int run_errno(const char* path) {
    char name[] = "program";
    char* arguments[] = {name, nullptr};
    char* environment[] = {nullptr};
    int errors[2];
    REQUIRE(pipe2(errors, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) {
        execve(path, arguments, environment);
        const int code = errno;
        (void)!write(errors[1], &code, sizeof(code));
        _exit(0);
    }
    close(errors[1]);
    int code = 0;
    (void)!read(errors[0], &code, sizeof(code));
    close(errors[0]);
    check::wait_status(child);
    return code;
}

}  // namespace elf_file
