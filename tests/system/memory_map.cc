// SPDX-License-Identifier: MIT OR Apache-2.0
// mmap(2), munmap(2), mprotect(2), madvise(2), msync(2): errors and semantics.
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <csetjmp>
#include <cstdint>

#include "system/support/check.h"

namespace {

constexpr std::size_t kPage = 4096;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

std::byte* map(std::size_t pages, int protection = PROT_READ | PROT_WRITE, int flags = kAnonymous) {
    void* at = mmap(nullptr, pages * kPage, protection, flags, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
}

sigjmp_buf back;

// Whether reading (or writing) this byte causes SIGSEGV.
bool faults(volatile std::byte* at, bool write) {
    struct sigaction action{};
    action.sa_handler = [](int) { siglongjmp(back, 1); };
    struct sigaction old;
    sigaction(SIGSEGV, &action, &old);
    bool faulted = true;
    if (sigsetjmp(back, 1) == 0) {
        if (write) {
            *at = std::byte{1};
        } else {
            (void)*at;
        }
        faulted = false;
    }
    sigaction(SIGSEGV, &old, nullptr);
    return faulted;
}

bool readable(std::byte* at) {
    return !faults(at, false);
}

bool writable(std::byte* at) {
    return !faults(at, true);
}

class TemporaryFile {
public:
    explicit TemporaryFile(std::size_t bytes, int flags = O_RDWR) {
        char path[] = "/tmp/kpio_map_XXXXXX";
        const int made = mkstemp(path);
        REQUIRE(made >= 0 && ftruncate(made, static_cast<off_t>(bytes)) == 0);
        fd_ = open(path, flags);
        close(made);
        unlink(path);
    }
    ~TemporaryFile() { close(fd_); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    int fd() const { return fd_; }

private:
    int fd_;
};

// What comes before the lowest address that can be mapped is part of the range like any other hole.
TEST(unmap_from_zero) {
    void* const low = reinterpret_cast<void*>(0x10000);
    auto* const page = static_cast<char*>(
        mmap(low, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    REQUIRE(page == low);
    page[0] = 'x';
    CHECK_OK(munmap(nullptr, 0x11000));
    CHECK_SIGNALED(check::child_status([page] { page[0] = 'y'; }), SIGSEGV);
}

}  // namespace

TEST(mmap_errors) {
    const int rw = PROT_READ | PROT_WRITE;
    CHECK_ERRNO(syscall(SYS_mmap, 0, 0, rw, kAnonymous, -1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, rw, kAnonymous, -1, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, rw, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mmap, 0x10000001, kPage, rw, kAnonymous | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mmap, 0, 1ul << 60, rw, kAnonymous, -1, 0), ENOMEM);
    CHECK_ERRNO(syscall(SYS_mmap, 0, ~0ul, rw, kAnonymous, -1, 0), ENOMEM);
    CHECK_ERRNO(syscall(SYS_mmap, 1ul << 47, kPage, rw, kAnonymous | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, rw, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, rw, MAP_PRIVATE, 9999, 0), EBADF);
    const TemporaryFile read_only(kPage, O_RDONLY);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, rw, MAP_SHARED, read_only.fd(), 0), EACCES);
    const TemporaryFile write_only(kPage, O_WRONLY);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, PROT_WRITE, MAP_SHARED, write_only.fd(), 0), EACCES);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, write_only.fd(), 0), EACCES);
    CHECK_ERRNO(syscall(SYS_mmap, 0, 2 * kPage, PROT_READ, MAP_PRIVATE, read_only.fd(), ~0xffful), EOVERFLOW);
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
    close(fds[0]);
    close(fds[1]);
    const int directory = open("/", O_RDONLY | O_DIRECTORY);
    CHECK_ERRNO(syscall(SYS_mmap, 0, kPage, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
    close(directory);
}

TEST(address_space_limit) {
    CHECK_CHILD([] {
        const rlimit limit{64 << 20, 64 << 20};
        CHECK_OK(setrlimit(RLIMIT_AS, &limit));
        CHECK_ERRNO(syscall(SYS_mmap, 0, 128 << 20, PROT_READ, kAnonymous, -1, 0), ENOMEM);
        CHECK_OK(syscall(SYS_mmap, 0, 1 << 20, PROT_READ, kAnonymous, -1, 0));
    });
}

TEST(placement) {
    // A hint in free space is taken; one in use is not.
    std::byte* area = map(16);
    munmap(area, 16 * kPage);
    void* hinted = mmap(area + 4 * kPage, kPage, PROT_READ, kAnonymous, -1, 0);
    CHECK(hinted == area + 4 * kPage);
    void* elsewhere = mmap(hinted, kPage, PROT_READ, kAnonymous, -1, 0);
    CHECK(elsewhere != hinted && elsewhere != MAP_FAILED);
    CHECK_ERRNO(syscall(SYS_mmap, hinted, kPage, PROT_READ, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_ERRNO(syscall(SYS_mmap, area + 3 * kPage, 2 * kPage, PROT_READ, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0),
                EEXIST);
    CHECK(mmap(area + 5 * kPage, kPage, PROT_READ, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0) == area + 5 * kPage);
    munmap(area, 16 * kPage);
    munmap(elsewhere, kPage);
    // Nothing is given below mmap_min_addr by itself.
    void* low = mmap(reinterpret_cast<void*>(kPage), kPage, PROT_READ, kAnonymous, -1, 0);
    CHECK(reinterpret_cast<std::uintptr_t>(low) >= 65536);
    munmap(low, kPage);
}

TEST(fixed_replaces) {
    std::byte* area = map(4);
    std::memset(area, 1, 4 * kPage);
    CHECK(mmap(area + kPage, 2 * kPage, PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED, -1, 0) == area + kPage);
    CHECK(area[0] == std::byte{1} && area[3 * kPage] == std::byte{1});
    CHECK(area[kPage] == std::byte{0} && area[3 * kPage - 1] == std::byte{0});
    munmap(area, 4 * kPage);
}

TEST(unmapping) {
    std::byte* area = map(8);
    std::memset(area, 1, 8 * kPage);
    CHECK_OK(munmap(area + 2 * kPage, kPage));
    CHECK(!readable(area + 2 * kPage));
    CHECK(readable(area + kPage) && readable(area + 3 * kPage));
    CHECK_OK(munmap(area, 8 * kPage));  // holes are no error
    CHECK(!readable(area) && !readable(area + 7 * kPage));
    CHECK_OK(munmap(area, 8 * kPage));
    CHECK_ERRNO(munmap(area + 1, kPage), EINVAL);
    CHECK_ERRNO(munmap(area, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, 1ul << 62, kPage), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, 0x10000, ~0xffful), EINVAL);
    // The length is rounded up.
    area = map(2);
    CHECK_OK(munmap(area, kPage + 1));
    CHECK(!readable(area + kPage));
}

TEST(protecting) {
    std::byte* area = map(4);
    std::memset(area, 1, 4 * kPage);
    CHECK_OK(mprotect(area + kPage, 2 * kPage, PROT_READ));
    CHECK(writable(area) && !writable(area + kPage) && !writable(area + 3 * kPage - 1) && writable(area + 3 * kPage));
    CHECK(readable(area + kPage));
    CHECK_OK(mprotect(area + kPage, kPage, PROT_NONE));
    CHECK(!readable(area + kPage));
    CHECK_OK(mprotect(area, 4 * kPage, PROT_READ | PROT_WRITE));
    CHECK(area[kPage + 5] == std::byte{1});  // the contents stay
    CHECK(writable(area + kPage));
    CHECK_ERRNO(mprotect(area + 1, kPage, PROT_READ), EINVAL);
    CHECK_ERRNO(mprotect(area, kPage, 0x100), EINVAL);
    CHECK_ERRNO(mprotect(area, kPage, PROT_GROWSUP | PROT_GROWSDOWN), EINVAL);
    CHECK_OK(mprotect(area, 0, PROT_READ));
    munmap(area + 2 * kPage, kPage);
    // What lies before the hole is changed all the same.
    CHECK_ERRNO(mprotect(area, 4 * kPage, PROT_READ), ENOMEM);
    CHECK(!writable(area) && writable(area + 3 * kPage));
    munmap(area, 4 * kPage);
    const TemporaryFile read_only(kPage, O_RDONLY);
    void* file = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, read_only.fd(), 0);
    CHECK_ERRNO(mprotect(file, kPage, PROT_READ | PROT_WRITE), EACCES);
    munmap(file, kPage);
    file = mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, read_only.fd(), 0);
    CHECK_OK(mprotect(file, kPage, PROT_READ | PROT_WRITE));
    munmap(file, kPage);
}

TEST(calls_honour_protection) {
    std::byte* area = map(2);
    CHECK_OK(mprotect(area, kPage, PROT_READ));
    CHECK_OK(mprotect(area + kPage, kPage, PROT_NONE));
    const int zero = open("/dev/zero", O_RDWR);
    CHECK_ERRNO(read(zero, area, 8), EFAULT);
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    CHECK_EQ(write(fds[1], area, 8), 8);
    CHECK_ERRNO(write(fds[1], area + kPage, 8), EFAULT);
    CHECK_OK(mprotect(area, kPage, PROT_READ | PROT_WRITE));
    // Reading a file ends where protected memory begins; a pipe gives a buffer as a whole or keeps it.
    const TemporaryFile file(8);
    CHECK_EQ(read(file.fd(), area + kPage - 4, 8), 4);
    CHECK_EQ(lseek(file.fd(), 0, SEEK_CUR), 4);
    CHECK_ERRNO(read(fds[0], area + kPage - 4, 8), EFAULT);
    CHECK_EQ(read(fds[0], area, 8), 8);
    for (const int fd : {zero, fds[0], fds[1]}) {
        close(fd);
    }
    munmap(area, 2 * kPage);
}

TEST(discarding) {
    std::byte* area = map(4);
    std::memset(area, 1, 4 * kPage);
    CHECK_OK(madvise(area + kPage, 2 * kPage, MADV_DONTNEED));
    CHECK(area[0] == std::byte{1} && area[kPage] == std::byte{0} && area[3 * kPage - 1] == std::byte{0});
    CHECK(area[3 * kPage] == std::byte{1});
    CHECK_OK(madvise(area, 4 * kPage, MADV_WILLNEED));
    CHECK_OK(madvise(area, 4 * kPage, MADV_NORMAL));
    CHECK_ERRNO(madvise(area + 1, kPage, MADV_DONTNEED), EINVAL);
    CHECK_ERRNO(madvise(area, kPage, 9999), EINVAL);
    CHECK_OK(madvise(area, 0, MADV_DONTNEED));
    munmap(area + kPage, kPage);
    CHECK_ERRNO(madvise(area, 4 * kPage, MADV_DONTNEED), ENOMEM);
    munmap(area, 4 * kPage);
}

TEST(files) {
    const TemporaryFile file(3 * kPage);
    CHECK_EQ(pwrite(file.fd(), "abc", 3, kPage), 3);
    auto* shared = static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), kPage));
    auto* copy = static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.fd(), kPage));
    CHECK_EQ(std::string(shared), std::string("abc"));
    CHECK_EQ(std::string(copy), std::string("abc"));
    shared[0] = 'X';
    char text[4] = {};
    CHECK_EQ(pread(file.fd(), text, 3, kPage), 3);
    CHECK_EQ(std::string(text), std::string("Xbc"));
    CHECK_EQ(copy[0], 'X');  // no own copy of the page yet
    copy[1] = 'Y';
    CHECK_EQ(shared[1], 'b');
    CHECK_EQ(pwrite(file.fd(), "123", 3, kPage), 3);
    CHECK_EQ(std::string(shared), std::string("123"));
    CHECK_EQ(std::string(copy), std::string("XYc"));
    CHECK_OK(msync(shared, 2 * kPage, MS_SYNC));
    CHECK_OK(msync(shared, 2 * kPage, MS_ASYNC | MS_INVALIDATE));
    CHECK_ERRNO(msync(shared, kPage, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERRNO(msync(shared, kPage, 0x100), EINVAL);
    CHECK_ERRNO(msync(shared + 1, kPage, MS_SYNC), EINVAL);
    // A discarded private page shows the file again.
    CHECK_OK(madvise(copy, kPage, MADV_DONTNEED));
    CHECK_EQ(std::string(copy), std::string("123"));
    CHECK_CHILD([&] {
        shared[2] = 'C';
        copy[2] = 'D';
    });
    CHECK_EQ(shared[2], 'C');
    CHECK_EQ(copy[2], 'C');
    munmap(shared, 2 * kPage);
    CHECK_ERRNO(msync(shared, kPage, MS_SYNC), ENOMEM);
    munmap(copy, 2 * kPage);
}

TEST(the_mapping_keeps_the_file) {
    std::byte* memory;
    {
        const TemporaryFile file(kPage);
        CHECK_EQ(write(file.fd(), "kept", 4), 4);
        memory = static_cast<std::byte*>(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, file.fd(), 0));
    }
    CHECK(std::memcmp(memory, "kept", 4) == 0);
    munmap(memory, kPage);
}

TEST_MAIN()
