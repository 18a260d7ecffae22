// SPDX-License-Identifier: MIT OR Apache-2.0
// sigaction(2), sigprocmask(2), sigpending(2), kill(2), tgkill(2): delivery, masks, nesting and errors.
#include <sched.h>
#include <signal.h>

#include <time.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

std::atomic<int> count;
std::atomic<int> depth;
std::atomic<int> deepest;
std::string order;

void reset() {
    count = 0;
    depth = 0;
    deepest = 0;
    order.clear();
}

struct sigaction install(int number, void (*handler)(int), int flags = 0, std::initializer_list<int> masked = {}) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    for (const int other : masked) {
        sigaddset(&action.sa_mask, other);
    }
    struct sigaction old;
    CHECK_OK(sigaction(number, &action, &old));
    return old;
}

sigset_t set_of(std::initializer_list<int> numbers) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : numbers) {
        sigaddset(&set, number);
    }
    return set;
}

bool is_pending(int number) {
    sigset_t set;
    CHECK_OK(sigpending(&set));
    return sigismember(&set, number) == 1;
}

bool is_blocked(int number) {
    sigset_t set;
    CHECK_OK(sigprocmask(SIG_BLOCK, nullptr, &set));
    return sigismember(&set, number) == 1;
}

void count_it(int) {
    ++count;
}

void nest(int number) {
    ++depth;
    deepest = std::max(deepest.load(), depth.load());
    ++count;
    if (count < 5) {
        raise(number);
    }
    --depth;
}

}  // namespace

TEST(a_handler_runs_before_kill_returns) {
    reset();
    install(SIGUSR1, count_it);
    for (int i = 1; i <= 10; ++i) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(count.load(), i);
    }
    CHECK_OK(syscall(SYS_tkill, gettid(), SIGUSR1));
    CHECK_EQ(count.load(), 11);
    CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
    CHECK_EQ(count.load(), 12);
}

TEST(masked_during_its_handler) {
    reset();
    install(SIGUSR1, nest);
    raise(SIGUSR1);
    CHECK_EQ(count.load(), 5);
    CHECK_EQ(deepest.load(), 1);
}

TEST(nodefer_nests) {
    reset();
    install(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(count.load(), 5);
    CHECK_EQ(deepest.load(), 5);
}

TEST(mask_of_the_action) {
    reset();
    install(SIGUSR1, [](int) { order += '1'; });
    install(SIGUSR2,
            [](int) {
                order += '<';
                CHECK(is_blocked(SIGUSR1));
                CHECK(is_blocked(SIGUSR2));
                CHECK(!is_blocked(SIGTERM));
                raise(SIGUSR1);
                CHECK(is_pending(SIGUSR1));
                order += '>';
            },
            0, {SIGUSR1});
    raise(SIGUSR2);
    CHECK_EQ(order, std::string("<>1"));
    CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
}

TEST(another_signal_interrupts_a_handler) {
    reset();
    install(SIGUSR1, [](int) { order += '1'; });
    install(SIGUSR2, [](int) {
        order += '<';
        raise(SIGUSR1);
        order += '>';
    });
    raise(SIGUSR2);
    CHECK_EQ(order, std::string("<1>"));
}

TEST(resethand) {
    reset();
    install(SIGUSR1, count_it, static_cast<int>(SA_RESETHAND));
    raise(SIGUSR1);
    CHECK_EQ(count.load(), 1);
    struct sigaction action;
    CHECK_OK(sigaction(SIGUSR1, nullptr, &action));
    CHECK(action.sa_handler == SIG_DFL);
    CHECK_SIGNALED(check::child_status([] { raise(SIGUSR1); }), SIGUSR1);
}

TEST(blocking_and_pending) {
    reset();
    install(SIGUSR1, count_it);
    const sigset_t set = set_of({SIGUSR1});
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    CHECK(!is_pending(SIGUSR1));
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(count.load(), 0);
    CHECK(is_pending(SIGUSR1));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    CHECK_EQ(count.load(), 1);  // standard signals do not queue
    CHECK(!is_pending(SIGUSR1));
}

TEST(to_the_process_and_to_the_thread_are_two) {
    reset();
    install(SIGUSR1, count_it);
    const sigset_t set = set_of({SIGUSR1});
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(syscall(SYS_tkill, gettid(), SIGUSR1));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    CHECK_EQ(count.load(), 2);
}

TEST(ignoring_drops_what_is_pending) {
    reset();
    install(SIGUSR1, count_it);
    const sigset_t set = set_of({SIGUSR1});
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    CHECK(!is_pending(SIGUSR1));
    install(SIGUSR1, count_it);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    CHECK_EQ(count.load(), 0);
    // So does the default action of a signal that is ignored by default.
    install(SIGCHLD, count_it);
    const sigset_t child_set = set_of({SIGCHLD});
    CHECK_OK(sigprocmask(SIG_BLOCK, &child_set, nullptr));
    raise(SIGCHLD);
    CHECK(is_pending(SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
    CHECK(!is_pending(SIGCHLD));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &child_set, nullptr));
}

TEST(kill_and_stop_cannot_be_caught_or_blocked) {
    for (const int number : {SIGKILL, SIGSTOP}) {
        struct sigaction action{};
        action.sa_handler = SIG_IGN;
        CHECK_ERRNO(sigaction(number, &action, nullptr), EINVAL);
        action.sa_handler = SIG_DFL;
        CHECK_ERRNO(sigaction(number, &action, nullptr), EINVAL);
        CHECK_OK(sigaction(number, nullptr, &action));
        CHECK(action.sa_handler == SIG_DFL);
        const sigset_t set = set_of({number, SIGUSR1});
        CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
        CHECK(!is_blocked(number));
        CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    }
}

TEST(mask_operations) {
    sigset_t old;
    const sigset_t one = set_of({SIGUSR1});
    const sigset_t two = set_of({SIGUSR2});
    CHECK_OK(sigprocmask(SIG_SETMASK, &one, &old));
    CHECK_OK(sigprocmask(SIG_BLOCK, &two, nullptr));
    CHECK(is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &one, nullptr));
    CHECK(!is_blocked(SIGUSR1) && is_blocked(SIGUSR2));
    sigset_t seen;
    CHECK_OK(sigprocmask(SIG_SETMASK, &old, &seen));
    CHECK(sigismember(&seen, SIGUSR2) == 1);
    // `how` is not looked at without a set.
    CHECK_OK(syscall(SYS_rt_sigprocmask, 77, nullptr, &seen, 8));
}

TEST(wrong_arguments) {
    unsigned long set = 0;
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 77, &set, nullptr, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, nullptr, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, nullptr, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, 8, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigpending, 8, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigpending, &set, 16), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, nullptr, nullptr, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, nullptr, nullptr, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, -1, nullptr, nullptr, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, nullptr, nullptr, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, 8, nullptr, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, nullptr, 8, 8), EFAULT);
    CHECK_OK(syscall(SYS_rt_sigaction, 64, nullptr, nullptr, 8));
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
    CHECK_ERRNO(kill(getpid(), -1), EINVAL);
    CHECK_OK(kill(getpid(), 0));
    CHECK_ERRNO(kill(4'000'000, 0), ESRCH);
    CHECK_ERRNO(kill(-4'000'000, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
    CHECK_ERRNO(syscall(SYS_tkill, -1, SIGUSR1), EINVAL);
    CHECK_ERRNO(syscall(SYS_tkill, 4'000'000, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, 0, gettid(), 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, getppid(), gettid(), 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), gettid(), 65), EINVAL);
}

TEST(an_action_reads_back) {
    struct sigaction action{};
    action.sa_handler = count_it;
    action.sa_flags = SA_RESTART | SA_NODEFER;
    action.sa_mask = set_of({SIGTERM, 64});
    CHECK_OK(sigaction(40, &action, nullptr));
    struct sigaction seen;
    CHECK_OK(sigaction(40, nullptr, &seen));
    CHECK(seen.sa_handler == count_it);
    constexpr int kRestorer = 0x04000000;  // added by the C library
    CHECK_EQ(seen.sa_flags & ~kRestorer, action.sa_flags);
    CHECK(sigismember(&seen.sa_mask, SIGTERM) == 1 && sigismember(&seen.sa_mask, 64) == 1);
    CHECK(sigismember(&seen.sa_mask, SIGINT) == 0);
    signal(40, SIG_DFL);
}

// Numbers are delivered lowest first; each handler's frame lies on top of the one before, so the highest runs first.
TEST(several_at_once) {
    reset();
    const sigset_t set = set_of({SIGUSR1, SIGUSR2, SIGTERM});
    for (const int number : {SIGUSR1, SIGUSR2, SIGTERM}) {
        install(number, [](int seen) { order += seen == SIGUSR1   ? '1'
                                                : seen == SIGUSR2 ? '2'
                                                                  : 'T'; }, 0,
                {SIGUSR1, SIGUSR2, SIGTERM});
    }
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    raise(SIGTERM);
    raise(SIGUSR2);
    raise(SIGUSR1);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    CHECK_EQ(order, std::string("12T"));
    signal(SIGTERM, SIG_DFL);
}

// A signal of the process comes just when the thread that would take it blocks it: another one takes it.
TEST(a_new_mask_leaves_the_signal_to_another_thread) {
    static std::atomic<int> taken;
    taken = 0;
    install(SIGUSR1, [](int) { ++taken; });
    const sigset_t set = set_of({SIGUSR1});
    std::atomic<int> round = 0;
    std::atomic<bool> stop = false;
    std::thread taker([&] {
        while (!stop) {
            sched_yield();
        }
    });
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
    std::thread sender([&] {
        for (int sent = 0; !stop;) {
            if (sent < round) {
                ++sent;
                kill(getpid(), SIGUSR1);
            } else {
                sched_yield();
            }
        }
    });
    constexpr int kRounds = 200;
    for (int i = 1; i <= kRounds && check::failures == 0; ++i) {
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
        round = i;
        for (volatile int wait = i % 500; wait > 0; wait = wait - 1) {
        }
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
        timespec limit;
        clock_gettime(CLOCK_MONOTONIC, &limit);
        limit.tv_sec += 10;
        for (timespec now = {}; taken < i && now.tv_sec < limit.tv_sec; sched_yield()) {
            clock_gettime(CLOCK_MONOTONIC, &now);
        }
        CHECK_EQ(taken.load(), i);
    }
    stop = true;
    taker.join();
    sender.join();
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
}

TEST(a_child_interrupts_its_busy_parent) {
    reset();
    install(SIGUSR1, count_it);
    const pid_t parent = getpid();
    const pid_t child = check::start_child([&] { CHECK_OK(kill(parent, SIGUSR1)); });
    while (count == 0) {  // no system call at all
    }
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST_MAIN()
