// SPDX-License-Identifier: MIT OR Apache-2.0
// timer_create(2), setitimer(2), adjtimex(2); what their signals tell.
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "system/support/check.h"

namespace {

using Clock = std::chrono::steady_clock;

long long milliseconds_since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

itimerspec spec(long value_ms, long interval_ms = 0) {
    constexpr long kNanoseconds = 1'000'000;
    return {{interval_ms / 1000, interval_ms % 1000 * kNanoseconds}, {value_ms / 1000, value_ms % 1000 * kNanoseconds}};
}

itimerval value(long value_ms, long interval_ms = 0) {
    return {{interval_ms / 1000, interval_ms % 1000 * 1000}, {value_ms / 1000, value_ms % 1000 * 1000}};
}

// The calls themselves: the C library numbers timers its own way and keeps SIGEV_THREAD to itself.
int create(clockid_t clock, sigevent* event, int* id) {
    return static_cast<int>(syscall(SYS_timer_create, clock, event, id));
}
int set(int id, int flags, const itimerspec* wanted, itimerspec* old = nullptr) {
    return static_cast<int>(syscall(SYS_timer_settime, id, flags, wanted, old));
}
int get(int id, itimerspec* now) {
    return static_cast<int>(syscall(SYS_timer_gettime, id, now));
}
int overrun(int id) {
    return static_cast<int>(syscall(SYS_timer_getoverrun, id));
}
int remove(int id) {
    return static_cast<int>(syscall(SYS_timer_delete, id));
}

sigevent event_of(int signal, int carried) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = carried;
    return event;
}

sigset_t block(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return set;
}

void unblock(const sigset_t& set) {
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

// Uses processor time.
void work_for(int milliseconds) {
    const auto start = Clock::now();
    while (milliseconds_since(start) < milliseconds) {
    }
}

TEST(a_timer_signals_once) {
    const sigset_t signals = block(SIGRTMIN + 1);
    sigevent event = event_of(SIGRTMIN + 1, 42);
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
    const itimerspec wanted = spec(30);
    const auto start = Clock::now();
    CHECK_OK(set(id, 0, &wanted));
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGRTMIN + 1);
    CHECK(milliseconds_since(start) >= 30);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_timerid, id);
    CHECK_EQ(info.si_overrun, 0);
    CHECK_EQ(info.si_value.sival_int, 42);
    CHECK_EQ(overrun(id), 0);
    itimerspec now = spec(1);
    CHECK_OK(get(id, &now));
    CHECK_EQ(now.it_value.tv_sec + now.it_value.tv_nsec, 0);
    const timespec none{0, 20'000'000};
    CHECK_ERRNO(sigtimedwait(&signals, &info, &none), EAGAIN);
    CHECK_OK(remove(id));
    unblock(signals);
}

TEST(periods_that_pass_are_overruns) {
    const sigset_t signals = block(SIGUSR1);
    sigevent event = event_of(SIGUSR1, 0);
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
    const itimerspec wanted = spec(10, 10);
    CHECK_OK(set(id, 0, &wanted));
    usleep(105000);
    itimerspec now{};
    CHECK_OK(get(id, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10'000'000);
    CHECK_EQ(now.it_interval.tv_nsec, 10'000'000);
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
    CHECK(info.si_overrun >= 9);
    CHECK_EQ(overrun(id), info.si_overrun);
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
    CHECK(info.si_overrun <= 5);
    CHECK_OK(remove(id));
    unblock(signals);
}

TEST(two_timers_with_one_signal) {
    const sigset_t signals = block(SIGUSR1);
    int ids[2] = {-1, -1};
    for (int i = 0; i < 2; ++i) {
        sigevent event = event_of(SIGUSR1, i + 1);
        CHECK_OK(create(CLOCK_MONOTONIC, &event, &ids[i]));
        const itimerspec wanted = spec(5 + 5 * i);
        CHECK_OK(set(ids[i], 0, &wanted));
    }
    CHECK(ids[0] != ids[1]);
    usleep(40000);
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 1);
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 2);
    CHECK_OK(remove(ids[0]));
    CHECK_OK(remove(ids[1]));
    unblock(signals);
}

TEST(absolute_and_old_values) {
    const sigset_t signals = block(SIGUSR2);
    sigevent event = event_of(SIGUSR2, 0);
    int id = -1;
    CHECK_OK(create(CLOCK_REALTIME, &event, &id));
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    itimerspec wanted{{0, 0}, now};
    wanted.it_value.tv_sec += 100;
    itimerspec old = spec(1, 1);
    CHECK_OK(set(id, TIMER_ABSTIME, &wanted, &old));
    CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_nsec + old.it_interval.tv_nsec, 0);
    wanted.it_value = now;  // has passed
    CHECK_OK(set(id, TIMER_ABSTIME, &wanted, &old));
    CHECK(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR2);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_OK(remove(id));
    unblock(signals);
}

TEST(a_timer_for_one_thread) {
    const sigset_t signals = block(SIGUSR1);
    std::atomic<int> taken = 0;
    std::thread thread([&] {
        sigevent event = event_of(SIGUSR1, 7);
        event.sigev_notify = SIGEV_THREAD_ID;
        event._sigev_un._tid = gettid();
        int id = -1;
        CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
        const itimerspec wanted = spec(20);
        CHECK_OK(set(id, 0, &wanted));
        siginfo_t info{};
        CHECK_EQ(sigwaitinfo(&signals, &info), SIGUSR1);
        CHECK_EQ(info.si_value.sival_int, 7);
        ++taken;
        CHECK_OK(remove(id));
    });
    siginfo_t info{};
    const timespec wait{0, 60'000'000};
    CHECK_ERRNO(sigtimedwait(&signals, &info, &wait), EAGAIN);
    thread.join();
    CHECK_EQ(taken.load(), 1);
    unblock(signals);
}

TEST(the_default_is_sigalrm_with_the_number) {
    const sigset_t signals = block(SIGALRM);
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, nullptr, &id));
    const itimerspec wanted = spec(5);
    CHECK_OK(set(id, 0, &wanted));
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&signals, &info), SIGALRM);
    CHECK_EQ(info.si_value.sival_int, id);
    CHECK_OK(remove(id));
    unblock(signals);
}

TEST(no_notification) {
    sigevent event{};
    event.sigev_notify = SIGEV_NONE;
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
    const itimerspec wanted = spec(20, 20);
    CHECK_OK(set(id, 0, &wanted));
    usleep(50000);
    itimerspec now{};
    CHECK_OK(get(id, &now));
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20'000'000);
    CHECK_OK(remove(id));
}

TEST(timers_of_processor_time) {
    for (const clockid_t clock : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
        const sigset_t signals = block(SIGUSR1);
        sigevent event = event_of(SIGUSR1, 3);
        int id = -1;
        CHECK_OK(create(clock, &event, &id));
        const itimerspec wanted = spec(30);
        CHECK_OK(set(id, 0, &wanted));
        usleep(50000);  // sleeping costs nothing
        siginfo_t info{};
        const timespec now{};
        CHECK_ERRNO(sigtimedwait(&signals, &info, &now), EAGAIN);
        const auto start = Clock::now();
        while (sigtimedwait(&signals, &info, &now) < 0 && milliseconds_since(start) < 5000) {
        }
        CHECK_EQ(info.si_value.sival_int, 3);
        CHECK_EQ(info.si_code, SI_TIMER);
        CHECK_OK(remove(id));
        unblock(signals);
    }
}

TEST(read_from_a_signalfd) {
    const sigset_t signals = block(SIGUSR1);
    const int fd = signalfd(-1, &signals, 0);
    sigevent event = event_of(SIGUSR1, 11);
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
    const itimerspec wanted = spec(10, 10);
    CHECK_OK(set(id, 0, &wanted));
    usleep(45000);
    signalfd_siginfo info{};
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_code, SI_TIMER);
    CHECK_EQ(info.ssi_tid, static_cast<unsigned>(id));
    CHECK_EQ(info.ssi_int, 11);
    CHECK(info.ssi_overrun >= 3);
    CHECK_OK(remove(id));
    close(fd);
    unblock(signals);
}

TEST(an_ignored_signal_does_not_stop_a_timer) {
    signal(SIGUSR1, SIG_IGN);
    sigevent event = event_of(SIGUSR1, 0);
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, &event, &id));
    const itimerspec wanted = spec(5, 5);
    CHECK_OK(set(id, 0, &wanted));
    usleep(30000);
    const sigset_t signals = block(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    siginfo_t info{};
    const timespec wait{2, 0};
    CHECK_EQ(sigtimedwait(&signals, &info, &wait), SIGUSR1);
    CHECK_OK(remove(id));
    unblock(signals);
}

TEST(children_do_not_inherit_timers) {
    int id = -1;
    CHECK_OK(create(CLOCK_MONOTONIC, nullptr, &id));
    const itimerval real = value(100000);
    CHECK_OK(setitimer(ITIMER_REAL, &real, nullptr));
    CHECK_CHILD([&] {
        itimerspec now{};
        CHECK_ERRNO(get(id, &now), EINVAL);
        itimerval current{};
        CHECK_OK(getitimer(ITIMER_REAL, &current));
        CHECK_EQ(current.it_value.tv_sec, 0);
    });
    const itimerval off{};
    itimerval old{};
    CHECK_OK(setitimer(ITIMER_REAL, &off, &old));
    CHECK(old.it_value.tv_sec >= 98);
    CHECK_OK(remove(id));
}

ROLE(has_itimer) {
    itimerval current{};
    if (getitimer(ITIMER_REAL, &current) != 0 || current.it_value.tv_sec < 50) {
        return 1;
    }
    itimerspec now{};
    return get(std::atoi(arguments[0]), &now) == -1 && errno == EINVAL ? 0 : 2;
}

TEST(exec_keeps_interval_timers_only) {
    CHECK_EXIT(check::child_status([] {
                   int id = -1;
                   create(CLOCK_MONOTONIC, nullptr, &id);
                   const itimerval real = value(100000);
                   setitimer(ITIMER_REAL, &real, nullptr);
                   execl(check::program_path, check::program_path, "--role", "has_itimer", std::to_string(id).c_str(),
                         nullptr);
               }),
               0);
}

TEST(timer_errors) {
    int id = -1;
    CHECK_ERRNO(create(99, nullptr, &id), EINVAL);
    CHECK_ERRNO(create(CLOCK_MONOTONIC_RAW, nullptr, &id), EOPNOTSUPP);
    CHECK_ERRNO(create(CLOCK_MONOTONIC_COARSE, nullptr, &id), EOPNOTSUPP);
    CHECK_ERRNO(create(CLOCK_MONOTONIC, nullptr, reinterpret_cast<int*>(8)), EFAULT);
    CHECK_ERRNO(create(CLOCK_MONOTONIC, reinterpret_cast<sigevent*>(8), &id), EFAULT);
    sigevent event = event_of(99, 0);
    CHECK_ERRNO(create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    event = event_of(SIGUSR1, 0);
    event.sigev_notify = 9;
    CHECK_ERRNO(create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.sigev_notify = SIGEV_THREAD_ID;
    event._sigev_un._tid = 1;
    CHECK_ERRNO(create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    itimerspec wanted = spec(1000);
    CHECK_ERRNO(set(12345, 0, &wanted), EINVAL);
    CHECK_ERRNO(set(-1, 0, &wanted), EINVAL);
    CHECK_ERRNO(get(12345, &wanted), EINVAL);
    CHECK_ERRNO(overrun(12345), EINVAL);
    CHECK_ERRNO(remove(12345), EINVAL);
    CHECK_OK(create(CLOCK_MONOTONIC, nullptr, &id));
    CHECK_ERRNO(set(id, 0, nullptr), EINVAL);
    CHECK_ERRNO(set(id, 0, reinterpret_cast<itimerspec*>(8)), EFAULT);
    wanted.it_value.tv_nsec = 1'000'000'000;
    CHECK_ERRNO(set(id, 0, &wanted), EINVAL);
    CHECK_ERRNO(get(id, reinterpret_cast<itimerspec*>(8)), EFAULT);
    CHECK_OK(remove(id));
    CHECK_ERRNO(get(id, &wanted), EINVAL);
}

TEST(real_interval_timer) {
    const sigset_t signals = block(SIGALRM);
    const itimerval wanted = value(20, 20);
    CHECK_OK(setitimer(ITIMER_REAL, &wanted, nullptr));
    const auto start = Clock::now();
    siginfo_t info{};
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(sigwaitinfo(&signals, &info), SIGALRM);
    }
    CHECK(milliseconds_since(start) >= 60);
    CHECK_EQ(info.si_code, SI_KERNEL);
    itimerval current{};
    CHECK_OK(getitimer(ITIMER_REAL, &current));
    CHECK_EQ(current.it_interval.tv_usec, 20000);
    CHECK(current.it_value.tv_usec > 0 && current.it_value.tv_usec <= 20000);
    // alarm(2) and the interval timer are one.
    CHECK_EQ(alarm(10), 1u);
    CHECK_OK(getitimer(ITIMER_REAL, &current));
    CHECK(current.it_value.tv_sec >= 9);
    CHECK_EQ(current.it_interval.tv_usec, 0);
    CHECK_EQ(alarm(0), 10u);
    CHECK_EQ(alarm(0), 0u);
    unblock(signals);
}

TEST(interval_timers_of_processor_time) {
    const struct {
        int which;
        int signal;
    } kinds[] = {{ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}};
    for (const auto& kind : kinds) {
        const sigset_t signals = block(kind.signal);
        const itimerval wanted = value(30, 30);
        CHECK_OK(setitimer(kind.which, &wanted, nullptr));
        siginfo_t info{};
        const timespec now{};
        usleep(50000);
        CHECK_ERRNO(sigtimedwait(&signals, &info, &now), EAGAIN);
        const auto start = Clock::now();
        int seen = 0;
        while (seen < 2 && milliseconds_since(start) < 5000) {
            work_for(5);
            seen += sigtimedwait(&signals, &info, &now) == kind.signal ? 1 : 0;
        }
        CHECK_EQ(seen, 2);
        itimerval current{};
        CHECK_OK(getitimer(kind.which, &current));
        CHECK_EQ(current.it_interval.tv_usec, 30000);
        const itimerval off{};
        CHECK_OK(setitimer(kind.which, &off, nullptr));
        CHECK_OK(getitimer(kind.which, &current));
        CHECK_EQ(current.it_value.tv_sec + current.it_value.tv_usec, 0);
        unblock(signals);
    }
}

volatile sig_atomic_t profiled = 0;
void on_profile(int) {
    profiled = profiled + 1;
}

// A loop without a single system call is interrupted.
TEST(a_computation_is_profiled) {
    struct sigaction action{};
    action.sa_handler = on_profile;
    sigaction(SIGPROF, &action, nullptr);
    const itimerval wanted = value(10, 10);
    CHECK_OK(setitimer(ITIMER_PROF, &wanted, nullptr));
    for (volatile unsigned long i = 0; i < 3'000'000'000ul && profiled < 3; i = i + 1) {
    }
    CHECK(profiled >= 3);
    const itimerval off{};
    CHECK_OK(setitimer(ITIMER_PROF, &off, nullptr));
}

TEST(interval_timer_errors) {
    itimerval wanted = value(1000);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_setitimer, 3, &wanted, nullptr)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_getitimer, -1, &wanted)), EINVAL);
    wanted.it_value.tv_usec = 1'000'000;
    CHECK_ERRNO(setitimer(ITIMER_REAL, &wanted, nullptr), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_setitimer, ITIMER_REAL, 8, nullptr)), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_getitimer, ITIMER_REAL, 8)), EFAULT);
}

TEST(clocks_of_others) {
    const pid_t child = check::start_child([] {
        while (true) {
            work_for(1000);
        }
    });
    clockid_t clock = 0;
    CHECK_EQ(clock_getcpuclockid(child, &clock), 0);
    timespec used{};
    const auto start = Clock::now();
    while (clock_gettime(clock, &used) == 0 && used.tv_nsec < 20'000'000 && milliseconds_since(start) < 5000) {
        usleep(2000);
    }
    CHECK(used.tv_sec > 0 || used.tv_nsec >= 20'000'000);
    kill(child, SIGKILL);
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    CHECK_ERRNO(clock_gettime(clock, &used), EINVAL);
    CHECK_EQ(pthread_getcpuclockid(pthread_self(), &clock), 0);
    CHECK_OK(clock_gettime(clock, &used));
    timespec own{};
    CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own));
    CHECK(own.tv_sec > used.tv_sec || own.tv_nsec >= used.tv_nsec);
    CHECK_ERRNO(clock_gettime(-1, &used), EINVAL);
}

TEST(the_state_of_the_clock) {
    timex state{};
    const int result = adjtimex(&state);
    CHECK(result >= 0 && result <= 5);
    CHECK(state.tick >= 9000 && state.tick <= 11000);
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(state.time.tv_sec >= now.tv_sec - 2 && state.time.tv_sec <= now.tv_sec);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_adjtimex, 8)), EFAULT);
    CHECK_CHILD([] {
        if (getuid() == 0) {
            CHECK_OK(setuid(1234));
        }
        timex change{};
        change.modes = ADJ_TICK;
        change.tick = 10000;
        CHECK_ERRNO(adjtimex(&change), EPERM);
    });
}

}  // namespace

TEST_MAIN()
