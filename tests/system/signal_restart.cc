// SPDX-License-Identifier: MIT OR Apache-2.0
// What a handled signal does to each blocking call: restarted with SA_RESTART or EINTR, signal(7). A partner sends
// signals until it is told to stop, so that some arrive while the call is blocked, whatever the timing.
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

std::atomic<int> delivered;

void install(int flags) {
    struct sigaction action{};
    action.sa_handler = [](int) { ++delivered; };
    action.sa_flags = flags;
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
}

void pace() {
    const timespec millisecond{0, 1'000'000};
    nanosleep(&millisecond, nullptr);
}

// Sends SIGUSR1 to the thread until the end of its life; after `release_after` signals it calls `release`.
template <class Release>
class Sender {
public:
    Sender(int release_after, Release release)
        : target_(pthread_self()), thread_([this, release_after, release] {
              for (int sent = 0; !stop_; ++sent) {
                  if (sent == release_after) {
                      release();
                      return;
                  }
                  pthread_kill(target_, SIGUSR1);
                  pace();
              }
          }) {}
    ~Sender() {
        stop_ = true;
        thread_.join();
    }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

private:
    pthread_t target_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

constexpr int kSignals = 8;

// The call goes on as if nothing had happened; `release` lets it end.
template <class Call, class Release>
void expect_restart(const char* name, Call call, Release release) {
    delivered = 0;
    install(SA_RESTART);
    bool held;
    {
        Sender sender(kSignals, release);
        held = call();
    }
    if (!held || delivered == 0) {
        check::failed(__FILE__, __LINE__, std::string(name) + " was not restarted: " + std::strerror(errno));
    }
}

// The call fails with EINTR.
template <class Call>
void expect_interrupt(const char* name, int flags, Call call) {
    delivered = 0;
    install(flags);
    Sender sender(-1, [] {});
    errno = 0;
    const long result = call();
    if (result != -1 || errno != EINTR) {
        check::failed(__FILE__, __LINE__,
                      std::string(name) + ": " + std::to_string(result) + " " + std::strerror(errno));
    }
}

struct Pipe {
    int fds[2];
    Pipe() { REQUIRE(pipe(fds) == 0); }
    ~Pipe() {
        close(fds[0]);
        close(fds[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void put() const { (void)!write(fds[1], "x", 1); }
    void fill() const {
        fcntl(fds[1], F_SETFL, O_NONBLOCK);
        char block[4096] = {};
        // Small pieces last: a block is not written in part.
        for (const std::size_t bytes : {sizeof(block), std::size_t{1}}) {
            while (write(fds[1], block, bytes) > 0) {
            }
        }
        fcntl(fds[1], F_SETFL, 0);
    }
    void drain() const {
        fcntl(fds[0], F_SETFL, O_NONBLOCK);
        char block[4096];
        while (read(fds[0], block, sizeof(block)) > 0) {
        }
        fcntl(fds[0], F_SETFL, 0);
    }
};

constexpr timespec kLong{100, 0};

}  // namespace

TEST(pipes) {
    const Pipe pipe;
    char byte;
    expect_restart("read", [&] { return read(pipe.fds[0], &byte, 1) == 1; }, [&] { pipe.put(); });
    expect_interrupt("read", 0, [&] { return read(pipe.fds[0], &byte, 1); });
    pipe.fill();
    expect_restart("write", [&] { return write(pipe.fds[1], "y", 1) == 1; }, [&] { pipe.drain(); });
    pipe.fill();
    expect_interrupt("write", 0, [&] { return write(pipe.fds[1], "y", 1); });
}

TEST(a_partial_write_is_not_undone) {
    const Pipe pipe;
    pipe.fill();
    char block[4096];
    CHECK_EQ(read(pipe.fds[0], block, sizeof(block)), sizeof(block));
    for (const int flags : {0, SA_RESTART}) {
        install(flags);
        static char large[65536];
        Sender sender(-1, [] {});
        const ssize_t written = write(pipe.fds[1], large, sizeof(large));
        if (flags == 0) {
            CHECK_EQ(written, 4096);
            CHECK_EQ(read(pipe.fds[0], block, sizeof(block)), sizeof(block));
        } else {
            CHECK_EQ(written, 4096);
        }
    }
}

TEST(opening_a_fifo) {
    char folder[] = "/tmp/kpio_restart_XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string path = std::string(folder) + "/fifo";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    expect_interrupt("open", 0, [&] { return open(path.c_str(), O_RDONLY); });
    int writer = -1;
    expect_restart(
        "open",
        [&] {
            const int fd = open(path.c_str(), O_RDONLY);
            close(fd);
            return fd >= 0;
        },
        [&] { writer = open(path.c_str(), O_WRONLY); });
    close(writer);
    unlink(path.c_str());
    rmdir(folder);
}

TEST(waiting_for_children) {
    const Pipe pipe;
    for (const bool by_id : {false, true}) {
        const pid_t child = fork();
        if (child == 0) {
            char byte;
            _exit(read(pipe.fds[0], &byte, 1) == 1 ? 0 : 1);
        }
        siginfo_t info;
        if (by_id) {
            expect_interrupt("waitid", 0, [&] { return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED); });
            expect_restart(
                "waitid", [&] { return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED) == 0; },
                [&] { pipe.put(); });
        } else {
            expect_interrupt("wait4", 0, [&] { return waitpid(child, nullptr, 0); });
            expect_restart("wait4", [&] { return waitpid(child, nullptr, 0) == child; }, [&] { pipe.put(); });
        }
    }
}

TEST(futexes) {
    std::uint32_t word = 0;
    expect_restart(
        "futex", [&] { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr) == 0; },
        [&] {
            while (syscall(SYS_futex, &word, FUTEX_WAKE, 1) == 0) {
                pace();
            }
        });
    expect_interrupt("futex", 0, [&] { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr); });
    // With a relative time it continues only after signals without a handler.
    expect_interrupt("futex with time", SA_RESTART, [&] { return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &kLong); });
}

// Never restarted, whatever the action says.
TEST(always_interrupted) {
    const Pipe pipe;
    pollfd poll_fd{pipe.fds[0], POLLIN, 0};
    const sigset_t none{};
    for (const int flags : {0, SA_RESTART}) {
        expect_interrupt("poll", flags, [&] { return poll(&poll_fd, 1, -1); });
        expect_interrupt("poll with time", flags, [&] { return poll(&poll_fd, 1, 100'000); });
        expect_interrupt("ppoll", flags, [&] { return ppoll(&poll_fd, 1, &kLong, nullptr); });
        expect_interrupt("select", flags, [&] {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(pipe.fds[0], &set);
            return select(pipe.fds[0] + 1, &set, nullptr, nullptr, nullptr);
        });
        expect_interrupt("pselect", flags, [&] { return pselect(0, nullptr, nullptr, nullptr, &kLong, nullptr); });
        expect_interrupt("nanosleep", flags, [&] { return nanosleep(&kLong, nullptr); });
        expect_interrupt("clock_nanosleep", flags, [&] {
            errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &kLong, nullptr);
            return errno == 0 ? 0 : -1;
        });
        expect_interrupt("clock_nanosleep until", flags, [&] {
            timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += 100;
            errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
            return errno == 0 ? 0 : -1;
        });
        expect_interrupt("pause", flags, [&] { return pause(); });
        expect_interrupt("sigsuspend", flags, [&] { return sigsuspend(&none); });
        expect_interrupt("sigtimedwait", flags, [&] {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR2);
            return sigtimedwait(&set, nullptr, &kLong);
        });
    }
}

TEST(sleeping_tells_the_rest) {
    install(0);
    timespec rest{-1, -1};
    const timespec request{100, 0};
    {
        Sender sender(-1, [] {});
        CHECK_ERRNO(nanosleep(&request, &rest), EINTR);
    }
    CHECK(rest.tv_sec >= 60 && rest.tv_sec <= 100);
    CHECK(rest.tv_nsec >= 0 && rest.tv_nsec < 1'000'000'000);
}

// A stop and continue without a handler is invisible to restartable calls and to sleeps.
TEST(stopped_while_blocked) {
    const Pipe pipe;
    int started[2];
    REQUIRE(::pipe(started) == 0);
    const pid_t child = check::start_child([&] {
        CHECK_EQ(write(started[1], "s", 1), 1);
        char byte;
        CHECK_EQ(read(pipe.fds[0], &byte, 1), 1);
        pollfd poll_fd{pipe.fds[0], POLLIN, 0};
        CHECK_EQ(poll(&poll_fd, 1, -1), 1);
        CHECK_EQ(read(pipe.fds[0], &byte, 1), 1);
    });
    char byte;
    CHECK_EQ(read(started[0], &byte, 1), 1);
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 5; ++i) {
            int status;
            CHECK_OK(kill(child, SIGSTOP));
            CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
            CHECK_OK(kill(child, SIGCONT));
            CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
            pace();
        }
        pipe.put();
    }
    CHECK_EXIT(check::wait_status(child), 0);
    close(started[0]);
    close(started[1]);
}

TEST_MAIN()
