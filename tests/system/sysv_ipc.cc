// SPDX-License-Identifier: MIT OR Apache-2.0
// System V shared memory, semaphores and message queues, svipc(7).
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <atomic>
#include <climits>
#include <thread>

#include "system/support/check.h"

namespace {

// semctl's last argument, which programs define themselves.
union SemArgument {
    int value;
    semid_ds* status;
    unsigned short* array;
};

int control(int id, int number, int command, SemArgument argument = {}) {
    return semctl(id, number, command, argument);
}

int operate(int id, std::initializer_list<sembuf> operations) {
    std::vector<sembuf> copy(operations);
    return semop(id, copy.data(), copy.size());
}

void on_signal(int) {}

void interrupt_soon(pthread_t thread) {
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    std::thread([thread] {
        usleep(40000);
        pthread_kill(thread, SIGUSR1);
    }).detach();
}

key_t unused_key() {
    return static_cast<key_t>(0x4b500000 + getpid());
}

TEST(shared_memory_is_shared) {
    const int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    CHECK_OK(id);
    auto* const here = static_cast<char*>(shmat(id, nullptr, 0));
    REQUIRE(here != reinterpret_cast<char*>(-1));
    auto* const again = static_cast<char*>(shmat(id, nullptr, SHM_RDONLY));
    here[9999] = 'x';
    CHECK_EQ(again[9999], 'x');
    shmid_ds status{};
    CHECK_OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_segsz, 10000u);
    CHECK_EQ(status.shm_nattch, 2u);
    CHECK_EQ(status.shm_cpid, getpid());
    CHECK_EQ(status.shm_lpid, getpid());
    CHECK_EQ(status.shm_perm.mode & 0777, 0600);
    CHECK_CHILD([&] {
        CHECK_OK(shmctl(id, IPC_STAT, &status));
        CHECK_EQ(status.shm_nattch, 4u);
        here[0] = 'c';
    });
    CHECK_EQ(here[0], 'c');
    CHECK_SIGNALED(check::child_status([&] { again[0] = 'w'; }), SIGSEGV);
    CHECK_OK(shmdt(again));
    CHECK_ERRNO(shmdt(again), EINVAL);
    CHECK_OK(shmctl(id, IPC_STAT, &status));
    CHECK_EQ(status.shm_nattch, 1u);
    // Removed while attached: the memory stays.
    CHECK_OK(shmctl(id, IPC_RMID, nullptr));
    CHECK_EQ(here[9999], 'x');
    CHECK_OK(shmdt(here));
    CHECK_ERRNO(shmctl(id, IPC_STAT, &status), EINVAL);
}

TEST(shared_memory_places_and_errors) {
    const key_t key = unused_key();
    const int id = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    CHECK_OK(id);
    CHECK_EQ(shmget(key, 100, 0600), id);
    CHECK_ERRNO(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_ERRNO(shmget(key, 5000, 0600), EINVAL);
    CHECK_ERRNO(shmget(key + 1, 4096, 0600), ENOENT);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
    void* const failed = reinterpret_cast<void*>(-1);
    CHECK_ERRNO(shmat(-1, nullptr, 0), EINVAL);
    CHECK_ERRNO(shmat(id, reinterpret_cast<void*>(0x10001), 0), EINVAL);
    void* const room = mmap(nullptr, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(room != MAP_FAILED);
    char* const middle = static_cast<char*>(room) + 4096;
    CHECK_ERRNO(shmat(id, middle, 0), EINVAL);  // something is there
    CHECK_EQ(shmat(id, middle + 5, SHM_RND | SHM_REMAP), static_cast<void*>(middle));
    middle[0] = 'x';
    CHECK_ERRNO(shmdt(room), EINVAL);
    CHECK_OK(shmdt(middle));
    CHECK_EQ(shmat(id, middle, 0), static_cast<void*>(middle));
    CHECK_EQ(middle[0], 'x');
    CHECK_OK(shmdt(middle));
    CHECK(shmat(id, nullptr, 0) != failed);
    shmid_ds status{};
    CHECK_ERRNO(shmctl(id, IPC_STAT, reinterpret_cast<shmid_ds*>(8)), EFAULT);
    CHECK_ERRNO(shmctl(id, 99, &status), EINVAL);
    if (getuid() == 0) {
        CHECK_CHILD([&] {
            CHECK_OK(setgid(1234));
            CHECK_OK(setuid(1234));
            CHECK_ERRNO(shmat(id, nullptr, 0), EACCES);
            CHECK_ERRNO(shmctl(id, IPC_STAT, &status), EACCES);
            CHECK_ERRNO(shmctl(id, IPC_RMID, nullptr), EPERM);
            CHECK_ERRNO(shmget(key, 4096, 0600), EACCES);
        });
        CHECK_OK(shmctl(id, IPC_STAT, &status));
        status.shm_perm.mode = 0644;
        CHECK_OK(shmctl(id, IPC_SET, &status));
        CHECK_CHILD([&] {
            CHECK_OK(setgid(1234));
            CHECK_OK(setuid(1234));
            CHECK(shmat(id, nullptr, SHM_RDONLY) != failed);
            CHECK_ERRNO(shmat(id, nullptr, 0), EACCES);
        });
    }
    CHECK_OK(shmctl(id, IPC_RMID, nullptr));
    CHECK_ERRNO(shmget(key, 4096, 0600), ENOENT);
}

TEST(semaphores_count) {
    const int id = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
    CHECK_OK(id);
    CHECK_EQ(control(id, 0, GETVAL), 0);
    CHECK_OK(operate(id, {{0, 5, 0}, {1, 1, 0}}));
    CHECK_EQ(control(id, 0, GETVAL), 5);
    CHECK_EQ(control(id, 0, GETPID), getpid());
    // All or nothing.
    CHECK_ERRNO(operate(id, {{0, -3, 0}, {1, -2, IPC_NOWAIT}}), EAGAIN);
    CHECK_EQ(control(id, 0, GETVAL), 5);
    CHECK_ERRNO(operate(id, {{0, 0, IPC_NOWAIT}}), EAGAIN);
    CHECK_OK(operate(id, {{0, -5, 0}, {0, 0, 0}, {0, 2, 0}}));
    CHECK_EQ(control(id, 0, GETVAL), 2);
    unsigned short values[2] = {7, 8};
    CHECK_OK(control(id, 0, SETALL, {.array = values}));
    values[0] = values[1] = 0;
    CHECK_OK(control(id, 0, GETALL, {.array = values}));
    CHECK_EQ(values[0], 7);
    CHECK_EQ(values[1], 8);
    CHECK_OK(control(id, 1, SETVAL, {.value = 3}));
    CHECK_EQ(control(id, 1, GETVAL), 3);
    semid_ds status{};
    CHECK_OK(control(id, 0, IPC_STAT, {.status = &status}));
    CHECK_EQ(status.sem_nsems, 2u);
    CHECK(status.sem_otime > 0);
    CHECK_OK(control(id, 0, IPC_RMID));
    CHECK_ERRNO(control(id, 0, GETVAL), EINVAL);
}

TEST(semaphores_wait) {
    const int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    const pid_t child = check::start_child([id] { CHECK_OK(operate(id, {{0, -2, 0}})); });
    for (int i = 0; i < 500 && control(id, 0, GETNCNT) != 1; ++i) {
        usleep(2000);
    }
    CHECK_EQ(control(id, 0, GETNCNT), 1);
    CHECK_OK(operate(id, {{0, 1, 0}}));
    CHECK_OK(operate(id, {{0, 1, 0}}));
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_EQ(control(id, 0, GETNCNT), 0);
    CHECK_EQ(control(id, 0, GETVAL), 0);
    sembuf take{0, -1, 0};
    const timespec soon{0, 20'000'000};
    CHECK_ERRNO(semtimedop(id, &take, 1, &soon), EAGAIN);
    interrupt_soon(pthread_self());
    CHECK_ERRNO(operate(id, {{0, -1, 0}}), EINTR);
    CHECK_OK(operate(id, {{0, 1, 0}}));
    std::thread zero([id] { CHECK_OK(operate(id, {{0, 0, 0}})); });
    for (int i = 0; i < 500 && control(id, 0, GETZCNT) != 1; ++i) {
        usleep(2000);
    }
    CHECK_EQ(control(id, 0, GETZCNT), 1);
    CHECK_OK(operate(id, {{0, -1, 0}}));
    zero.join();
    std::thread removed([id] { CHECK_ERRNO(operate(id, {{0, -1, 0}}), EIDRM); });
    usleep(30000);
    CHECK_OK(control(id, 0, IPC_RMID));
    removed.join();
}

TEST(the_end_of_a_process_undoes) {
    const int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    CHECK_OK(control(id, 0, SETVAL, {.value = 3}));
    CHECK_CHILD([id] {
        CHECK_OK(operate(id, {{0, -2, SEM_UNDO}}));
        CHECK_EQ(control(id, 0, GETVAL), 1);
    });
    CHECK_EQ(control(id, 0, GETVAL), 3);
    CHECK_CHILD([id] {
        CHECK_OK(operate(id, {{0, -1, SEM_UNDO}}));
        CHECK_OK(operate(id, {{0, -1, 0}}));
        CHECK_OK(control(id, 0, SETVAL, {.value = 9}));  // forgets what was to be undone
    });
    CHECK_EQ(control(id, 0, GETVAL), 9);
    CHECK_OK(control(id, 0, IPC_RMID));
}

TEST(semaphore_errors) {
    CHECK_ERRNO(semget(IPC_PRIVATE, 0, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(IPC_PRIVATE, -1, IPC_CREAT | 0600), EINVAL);
    CHECK_ERRNO(semget(IPC_PRIVATE, 32001, IPC_CREAT | 0600), EINVAL);
    const key_t key = unused_key();
    CHECK_ERRNO(semget(key, 1, 0600), ENOENT);
    const int id = semget(key, 2, IPC_CREAT | 0600);
    CHECK_EQ(semget(key, 0, 0), id);
    CHECK_ERRNO(semget(key, 3, 0), EINVAL);
    CHECK_ERRNO(semget(key, 1, IPC_CREAT | IPC_EXCL), EEXIST);
    CHECK_ERRNO(operate(id, {{2, 1, 0}}), EFBIG);
    CHECK_ERRNO(semop(id, nullptr, 0), EINVAL);
    CHECK_ERRNO(semop(id, reinterpret_cast<sembuf*>(8), 1), EFAULT);
    CHECK_ERRNO(semop(id, reinterpret_cast<sembuf*>(8), 501), E2BIG);
    CHECK_ERRNO(operate(12345678, {{0, 1, 0}}), EINVAL);
    CHECK_OK(control(id, 0, SETVAL, {.value = 32767}));
    CHECK_ERRNO(operate(id, {{0, 1, 0}}), ERANGE);
    CHECK_ERRNO(control(id, 0, SETVAL, {.value = 32768}), ERANGE);
    CHECK_ERRNO(control(id, 0, SETVAL, {.value = -1}), ERANGE);
    CHECK_ERRNO(control(id, 2, GETVAL), EINVAL);
    CHECK_ERRNO(control(id, 0, 99), EINVAL);
    CHECK_ERRNO(control(id, 0, GETALL, {.array = reinterpret_cast<unsigned short*>(8)}), EFAULT);
    if (getuid() == 0) {
        CHECK_CHILD([id] {
            CHECK_OK(setgid(1234));
            CHECK_OK(setuid(1234));
            CHECK_ERRNO(operate(id, {{0, 1, 0}}), EACCES);
            CHECK_ERRNO(control(id, 0, GETVAL), EACCES);
            CHECK_ERRNO(control(id, 0, IPC_RMID), EPERM);
        });
    }
    CHECK_OK(control(id, 0, IPC_RMID));
}

TEST(semaphores_exclude) {
    const int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    CHECK_OK(control(id, 0, SETVAL, {.value = 1}));
    int inside = 0;
    int most = 0;
    std::thread threads[3];
    for (std::thread& thread : threads) {
        thread = std::thread([&] {
            for (int i = 0; i < 200; ++i) {
                CHECK_OK(operate(id, {{0, -1, 0}}));
                most = std::max(most, ++inside);
                --inside;
                CHECK_OK(operate(id, {{0, 1, 0}}));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(most, 1);
    CHECK_OK(control(id, 0, IPC_RMID));
}

struct Message {
    long type;
    char text[32];
};

int put(int id, long type, const char* text, int flags = 0) {
    Message message{type, {}};
    std::strcpy(message.text, text);
    return msgsnd(id, &message, std::strlen(text), flags);
}

std::string take(int id, long type, int flags = IPC_NOWAIT, std::size_t room = 32) {
    Message message{};
    const ssize_t count = msgrcv(id, &message, room, type, flags);
    return count < 0 ? std::string("-") + strerrorname_np(errno)
                     : std::to_string(message.type) + std::string(message.text, static_cast<std::size_t>(count));
}

TEST(messages_by_type) {
    const int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    CHECK_OK(id);
    CHECK_OK(put(id, 3, "three"));
    CHECK_OK(put(id, 1, "one"));
    CHECK_OK(put(id, 2, "two"));
    CHECK_OK(put(id, 1, "more"));
    msqid_ds status{};
    CHECK_OK(msgctl(id, IPC_STAT, &status));
    CHECK_EQ(status.msg_qnum, 4u);
    CHECK_EQ(status.msg_lspid, getpid());
    CHECK_EQ(take(id, 2), "2two");
    CHECK_EQ(take(id, -2), "1one");
    CHECK_EQ(take(id, 3, IPC_NOWAIT | MSG_EXCEPT), "1more");
    CHECK_EQ(take(id, 9), "-ENOMSG");
    CHECK_EQ(take(id, 0, IPC_NOWAIT, 3), "-E2BIG");
    CHECK_EQ(take(id, 0, IPC_NOWAIT | MSG_NOERROR, 3), "3thr");
    CHECK_EQ(take(id, 0), "-ENOMSG");
    CHECK_OK(put(id, 5, ""));
    CHECK_EQ(take(id, 0), "5");
    CHECK_OK(msgctl(id, IPC_RMID, nullptr));
    CHECK_ERRNO(put(id, 1, "x"), EINVAL);
}

TEST(message_queues_wait) {
    const int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    const pid_t child = check::start_child([id] { CHECK_EQ(take(id, 7, 0), "7hello"); });
    usleep(20000);
    CHECK_OK(put(id, 6, "not this"));
    CHECK_OK(put(id, 7, "hello"));
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_EQ(take(id, 0), "6not this");
    interrupt_soon(pthread_self());
    CHECK_EQ(take(id, 0, 0), "-EINTR");
    struct {
        long type;
        char text[8192];
    } large{1, {}};
    CHECK_OK(msgsnd(id, &large, sizeof(large.text), 0));
    CHECK_OK(msgsnd(id, &large, sizeof(large.text), 0));
    CHECK_ERRNO(msgsnd(id, &large, 1, IPC_NOWAIT), EAGAIN);
    std::thread sender([id] { CHECK_OK(put(id, 2, "late")); });
    usleep(20000);
    CHECK_EQ(msgrcv(id, &large, sizeof(large.text), 1, 0), 8192);
    sender.join();
    CHECK_EQ(take(id, 2), "2late");
    CHECK_EQ(msgrcv(id, &large, sizeof(large.text), 1, 0), 8192);
    std::thread removed([id] { CHECK_EQ(take(id, 0, 0), "-EIDRM"); });
    usleep(30000);
    CHECK_OK(msgctl(id, IPC_RMID, nullptr));
    removed.join();
}

TEST(message_errors) {
    const key_t key = unused_key();
    CHECK_ERRNO(msgget(key, 0600), ENOENT);
    const int id = msgget(key, IPC_CREAT | 0600);
    CHECK_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_EQ(msgget(key, 0), id);
    CHECK_ERRNO(put(id, 0, "x"), EINVAL);
    Message message{1, {}};
    CHECK_ERRNO(msgsnd(id, &message, 8193, 0), EINVAL);
    CHECK_ERRNO(msgsnd(id, reinterpret_cast<void*>(8), 1, 0), EFAULT);
    CHECK_ERRNO(msgsnd(-1, &message, 1, 0), EINVAL);
    CHECK_ERRNO(msgrcv(id, &message, static_cast<std::size_t>(-1), 0, 0), EINVAL);
    msqid_ds status{};
    CHECK_ERRNO(msgctl(id, IPC_STAT, reinterpret_cast<msqid_ds*>(8)), EFAULT);
    CHECK_ERRNO(msgctl(id, 99, &status), EINVAL);
    if (getuid() == 0) {
        CHECK_CHILD([&] {
            CHECK_OK(setgid(1234));
            CHECK_OK(setuid(1234));
            CHECK_ERRNO(put(id, 1, "x"), EACCES);
            CHECK_EQ(take(id, 0), "-EACCES");
            CHECK_ERRNO(msgctl(id, IPC_RMID, nullptr), EPERM);
        });
    }
    CHECK_OK(msgctl(id, IPC_RMID, nullptr));
}

}  // namespace

TEST_MAIN()
