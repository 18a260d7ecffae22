// SPDX-License-Identifier: MIT OR Apache-2.0
// Real-time signals and rt_sigqueueinfo(2): order, values, limits; the siginfo of each sender; sigsuspend(2),
// sigtimedwait(2).
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include <thread>

#include "system/support/check.h"

namespace {

std::string order;
siginfo_t last;

void note(int number, siginfo_t* info, void*) {
    last = *info;
    order += std::to_string(number - SIGRTMIN) + ":" + std::to_string(info->si_value.sival_int) + " ";
}

void install(int number, std::initializer_list<int> masked = {}) {
    struct sigaction action{};
    action.sa_sigaction = note;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    for (const int other : masked) {
        sigaddset(&action.sa_mask, other);
    }
    CHECK_OK(sigaction(number, &action, nullptr));
}

sigset_t set_of(std::initializer_list<int> numbers) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : numbers) {
        sigaddset(&set, number);
    }
    return set;
}

class Blocked {
public:
    explicit Blocked(std::initializer_list<int> numbers) : set_(set_of(numbers)) {
        CHECK_OK(sigprocmask(SIG_BLOCK, &set_, &old_));
    }
    ~Blocked() { sigprocmask(SIG_SETMASK, &old_, nullptr); }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
    const sigset_t& set() const { return set_; }

private:
    sigset_t set_;
    sigset_t old_{};
};

void queue(int number, int value) {
    CHECK_OK(sigqueue(getpid(), number, {.sival_int = value}));
}

constexpr timespec kNow{0, 0};

}  // namespace

TEST(queued_in_order) {
    const int low = SIGRTMIN;
    const int high = SIGRTMIN + 3;
    order.clear();
    // Each handler masks the others, so that they run one after another: lowest number first, each in order of arrival.
    install(low, {low, high});
    install(high, {low, high});
    {
        const Blocked blocked{low, high};
        queue(high, 1);
        queue(low, 2);
        queue(high, 3);
        queue(low, 4);
        queue(low, 4);
    }
    CHECK_EQ(order, std::string("0:2 0:4 0:4 3:1 3:3 "));
}

TEST(standard_signals_keep_the_first) {
    const Blocked blocked{SIGUSR1};
    queue(SIGUSR1, 1);
    queue(SIGUSR1, 2);
    siginfo_t info;
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &kNow), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 1);
    CHECK_ERRNO(sigtimedwait(&blocked.set(), &info, &kNow), EAGAIN);
}

TEST(standard_before_real_time) {
    const Blocked blocked{SIGRTMIN, SIGTERM, SIGUSR1};
    queue(SIGRTMIN, 1);
    CHECK_OK(kill(getpid(), SIGTERM));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&blocked.set(), nullptr, &kNow), SIGUSR1);
    CHECK_EQ(sigtimedwait(&blocked.set(), nullptr, &kNow), SIGTERM);
    CHECK_EQ(sigtimedwait(&blocked.set(), nullptr, &kNow), SIGRTMIN);
}

TEST(a_threads_own_come_first) {
    const Blocked blocked{SIGRTMIN};
    queue(SIGRTMIN, 1);
    CHECK_OK(pthread_sigqueue(pthread_self(), SIGRTMIN, {.sival_int = 2}));
    siginfo_t info;
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &kNow), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 2);
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &kNow), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 1);
}

TEST(siginfo_of_the_senders) {
    const Blocked blocked{SIGUSR1, SIGRTMIN + 1, SIGALRM};
    siginfo_t info;
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &kNow), SIGUSR1);
    CHECK_EQ(info.si_signo, SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(info.si_pid, getpid());
    CHECK_EQ(info.si_uid, getuid());
    CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
    // The C library's sigtimedwait turns SI_TKILL into SI_USER.
    CHECK_EQ(syscall(SYS_rt_sigtimedwait, &blocked.set(), &info, &kNow, 8), SIGUSR1);
    CHECK_EQ(info.si_code, SI_TKILL);
    CHECK_EQ(info.si_pid, getpid());
    const pid_t parent = getpid();
    const pid_t child = check::start_child(
        [parent] { CHECK_OK(sigqueue(parent, SIGRTMIN + 1, {.sival_ptr = reinterpret_cast<void*>(0x123456789a)})); });
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &kNow), SIGRTMIN + 1);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_pid, child);
    CHECK(info.si_value.sival_ptr == reinterpret_cast<void*>(0x123456789a));
}

TEST(the_handler_gets_the_whole_siginfo) {
    install(SIGRTMIN);
    siginfo_t info{};
    info.si_code = -77;
    info.si_pid = 1234;
    info.si_value.sival_int = 5;
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info));
    CHECK_EQ(last.si_code, -77);
    CHECK_EQ(last.si_pid, 1234);
    CHECK_EQ(last.si_signo, SIGRTMIN);
    CHECK_EQ(last.si_value.sival_int, 5);
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGRTMIN, &info));
    CHECK_EQ(last.si_code, -77);
}

TEST(queueing_errors) {
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 4'000'000, SIGUSR1, &info), ESRCH);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 4'000'000, SIGUSR1, &info), ESRCH);
    CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info), EINVAL);
    // Only the kernel may say that it is the kernel, or kill().
    for (const int code : {0 + SI_USER, 0 + SI_KERNEL, 0 + CLD_EXITED}) {
        info.si_code = code;
        const pid_t child =
            check::start_child([&] { CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM); });
        CHECK_EXIT(check::wait_status(child), 0);
    }
}

TEST(limit_of_queued_signals) {
    CHECK_CHILD([] {
        const Blocked blocked{SIGRTMIN, SIGUSR1};
        const rlimit none{0, 0};
        CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &none));
        CHECK_ERRNO(sigqueue(getpid(), SIGRTMIN, {.sival_int = 1}), EAGAIN);
        // kill() always gets through.
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(sigtimedwait(&blocked.set(), nullptr, &kNow), SIGUSR1);
    });
}

TEST(sigtimedwait_errors) {
    unsigned long set = 0;
    const timespec negative{0, -1};
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, nullptr, &kNow, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, nullptr, &negative, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, 8, nullptr, &kNow, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, nullptr, 8, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, nullptr, &kNow, 8), EAGAIN);
    CHECK_ERRNO(syscall(SYS_rt_sigsuspend, 8, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &set, 4), EINVAL);
}

TEST(sigtimedwait_waits) {
    const Blocked blocked{SIGUSR1};
    const pid_t parent = getpid();
    const pid_t child = check::start_child([&] { CHECK_OK(kill(parent, SIGUSR1)); });
    siginfo_t info;
    const timespec limit{30, 0};
    CHECK_EQ(sigtimedwait(&blocked.set(), &info, &limit), SIGUSR1);
    CHECK_EQ(info.si_pid, child);
    CHECK_EXIT(check::wait_status(child), 0);
    const timespec soon{0, 5'000'000};
    timespec before;
    timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK_ERRNO(sigtimedwait(&blocked.set(), &info, &soon), EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec >= 5'000'000);
}

TEST(sigtimedwait_takes_blocked_ignored_signals_from_another_thread) {
    const Blocked blocked{SIGUSR1};
    int received = 0;
    std::thread waiter([&] { received = sigwaitinfo(&blocked.set(), nullptr); });
    CHECK_OK(kill(getpid(), SIGUSR1));
    waiter.join();
    CHECK_EQ(received, SIGUSR1);
}

// Another thread takes the SIGSTOP; this one has to come to rest all the same, signal(7).
TEST(sigtimedwait_ends_when_the_process_stops) {
    const pid_t child = check::start_child([] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        std::thread([&] {
            const timespec limit{10, 0};
            int taken = 0;
            do {
                taken = sigtimedwait(&set, nullptr, &limit);
            } while (taken == -1 && errno == EINTR);
            CHECK_EQ(taken, SIGUSR1);
        }).join();
    });
    usleep(50'000);
    CHECK_OK(kill(child, SIGSTOP));
    int status = 0;
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK_OK(kill(child, SIGCONT));
    CHECK_OK(kill(child, SIGUSR1));
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(sigsuspend_replaces_the_mask_until_a_handler_ran) {
    order.clear();
    install(SIGRTMIN);
    install(SIGRTMIN + 1);
    const Blocked blocked{SIGRTMIN, SIGRTMIN + 1};
    queue(SIGRTMIN, 1);
    queue(SIGRTMIN + 1, 2);
    sigset_t allow;
    sigfillset(&allow);
    sigdelset(&allow, SIGRTMIN + 1);
    CHECK_ERRNO(sigsuspend(&allow), EINTR);
    CHECK_EQ(order, std::string("1:2 "));
    sigset_t seen;
    CHECK_OK(sigprocmask(SIG_BLOCK, nullptr, &seen));
    CHECK(sigismember(&seen, SIGRTMIN) == 1 && sigismember(&seen, SIGTERM) == 0);
    CHECK_EQ(sigtimedwait(&blocked.set(), nullptr, &kNow), SIGRTMIN);
}

TEST(sigsuspend_sleeps_on_through_ignored_signals) {
    struct sigaction action{};
    action.sa_handler = SIG_IGN;
    CHECK_OK(sigaction(SIGUSR2, &action, nullptr));
    install(SIGRTMIN);
    const Blocked blocked{SIGRTMIN, SIGUSR2};
    order.clear();
    const pid_t parent = getpid();
    const pid_t child = check::start_child([&] {
        CHECK_OK(kill(parent, SIGUSR2));
        CHECK_OK(kill(parent, SIGWINCH));
        CHECK_OK(sigqueue(parent, SIGRTMIN, {.sival_int = 9}));
    });
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(order, std::string("0:9 "));
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_OK(sigprocmask(SIG_SETMASK, &none, nullptr));
}

TEST_MAIN()
