// SPDX-License-Identifier: MIT OR Apache-2.0
// eventfd(2).
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <climits>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

short ready(int fd) {
    pollfd wanted{fd, POLLIN | POLLOUT, 0};
    CHECK_OK(poll(&wanted, 1, 0));
    return wanted.revents;
}

std::uint64_t take(int fd) {
    std::uint64_t value = 0;
    CHECK_EQ(read(fd, &value, sizeof(value)), static_cast<ssize_t>(sizeof(value)));
    return value;
}

void put(int fd, std::uint64_t value) {
    CHECK_EQ(write(fd, &value, sizeof(value)), static_cast<ssize_t>(sizeof(value)));
}

void* bad_address() {
    return reinterpret_cast<void*>(8);
}

TEST(counts) {
    const int fd = eventfd(3, EFD_NONBLOCK);
    CHECK_OK(fd);
    CHECK_EQ(ready(fd), POLLIN | POLLOUT);
    put(fd, 4);
    CHECK_EQ(take(fd), 7u);
    CHECK_EQ(ready(fd), POLLOUT);
    std::uint64_t value = 0;
    CHECK_ERRNO(read(fd, &value, sizeof(value)), EAGAIN);
    close(fd);
}

TEST(semaphore) {
    const int fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    CHECK_EQ(take(fd), 1u);
    CHECK_EQ(take(fd), 1u);
    std::uint64_t value = 0;
    CHECK_ERRNO(read(fd, &value, sizeof(value)), EAGAIN);
    close(fd);
}

TEST(is_full_below_the_maximum) {
    const int fd = eventfd(0, EFD_NONBLOCK);
    put(fd, UINT64_MAX - 1);
    CHECK_EQ(ready(fd), POLLIN);
    const std::uint64_t one = 1;
    CHECK_ERRNO(write(fd, &one, sizeof(one)), EAGAIN);
    put(fd, 0);
    const std::uint64_t all = UINT64_MAX;
    CHECK_ERRNO(write(fd, &all, sizeof(all)), EINVAL);
    CHECK_EQ(take(fd), UINT64_MAX - 1);
    close(fd);
}

TEST(sizes_and_addresses) {
    const int fd = eventfd(1, EFD_NONBLOCK);
    std::uint64_t values[2] = {5, 6};
    CHECK_ERRNO(read(fd, values, 7), EINVAL);
    CHECK_ERRNO(write(fd, values, 7), EINVAL);
    CHECK_EQ(write(fd, values, 8), 8);
    CHECK_EQ(read(fd, values, sizeof(values)), 8);
    CHECK_EQ(values[0], 6u);
    CHECK_ERRNO(write(fd, bad_address(), 8), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_eventfd2, 0, 4)), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
    const int plain = static_cast<int>(syscall(SYS_eventfd, 9));
    CHECK_EQ(fcntl(plain, F_GETFD), 0);
    CHECK_EQ(fcntl(plain, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
    CHECK_EQ(take(plain), 9u);
    close(plain);
    const int closed = eventfd(0, EFD_CLOEXEC);
    CHECK_EQ(fcntl(closed, F_GETFD), FD_CLOEXEC);
    close(closed);
}

TEST(readers_and_writers_wait) {
    const int fd = eventfd(0, 0);
    std::thread reader([fd] { CHECK_EQ(take(fd), 5u); });
    usleep(20000);
    put(fd, 5);
    reader.join();
    put(fd, UINT64_MAX - 1);
    std::thread writer([fd] { put(fd, 3); });
    usleep(20000);
    CHECK_EQ(take(fd), UINT64_MAX - 1);
    writer.join();
    CHECK_EQ(take(fd), 3u);
    close(fd);
}

TEST(several_readers_share_a_semaphore) {
    const int fd = eventfd(0, EFD_SEMAPHORE);
    std::thread readers[3];
    for (std::thread& reader : readers) {
        reader = std::thread([fd] { CHECK_EQ(take(fd), 1u); });
    }
    usleep(20000);
    put(fd, 3);
    for (std::thread& reader : readers) {
        reader.join();
    }
    close(fd);
}

void on_signal(int) {}

TEST(signals_end_and_restart_a_wait) {
    const int fd = eventfd(0, 0);
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGALRM, &action, nullptr);
    std::uint64_t value = 0;
    ualarm(20000, 0);
    CHECK_ERRNO(read(fd, &value, sizeof(value)), EINTR);
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    std::thread writer([fd] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        usleep(80000);
        put(fd, 1);
    });
    ualarm(20000, 0);
    CHECK_EQ(take(fd), 1u);
    writer.join();
    close(fd);
}

TEST(has_a_name_in_proc) {
    const int fd = eventfd(0, 0);
    char target[64] = {};
    CHECK_OK(readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof(target) - 1));
    CHECK_EQ(std::string_view(target), "anon_inode:[eventfd]");
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mode, 0600u);
    close(fd);
}

}  // namespace

TEST_MAIN()
