// SPDX-License-Identifier: MIT OR Apache-2.0
// Descriptors and credentials in messages of Unix sockets.
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <thread>

#include "system/support/sockets.h"

namespace {

using namespace sockets;

// A pipe whose writing end can be watched going away.
struct Witness {
    Witness() { REQUIRE(pipe(ends) == 0); }
    ~Witness() {
        close(ends[0]);
        give_up();
    }
    Witness(const Witness&) = delete;
    Witness& operator=(const Witness&) = delete;
    int writer() const { return ends[1]; }
    void give_up() {
        if (ends[1] >= 0) {
            close(ends[1]);
            ends[1] = -1;
        }
    }
    // Whether all copies of the writing end are closed, now or soon.
    bool is_gone(int wait_ms = 2000) const {
        pollfd wanted{ends[0], POLLIN, 0};
        poll(&wanted, 1, wait_ms);
        return (wanted.revents & POLLHUP) != 0;
    }
    int ends[2] = {-1, -1};
};

TEST(a_descriptor_arrives) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        const Pair pair(type);
        const int event = eventfd(7, 0);
        CHECK_EQ(send_descriptors(pair[0], "x", {event, STDOUT_FILENO}), 1);
        close(event);
        const Received received = receive_message(pair[1]);
        CHECK_EQ(received.text, "x");
        CHECK_EQ(received.flags & MSG_CTRUNC, 0);
        CHECK_EQ(received.control_bytes, CMSG_SPACE(2 * sizeof(int)));
        if (CHECK_EQ(received.descriptors.size(), 2u)) {
            std::uint64_t value = 0;
            CHECK_EQ(read(received.descriptors[0], &value, 8), 8);
            CHECK_EQ(value, 7u);
            CHECK_EQ(fcntl(received.descriptors[0], F_GETFD), 0);
            close(received.descriptors[0]);
            close(received.descriptors[1]);
        }
    }
}

TEST(close_on_exec_and_peeking) {
    const Pair pair;
    CHECK_EQ(send_descriptors(pair[0], "x", {STDOUT_FILENO}), 1);
    const Received looked = receive_message(pair[1], 16, MSG_PEEK);
    const Received received = receive_message(pair[1], 16, MSG_CMSG_CLOEXEC);
    CHECK_EQ(looked.descriptors.size(), 1u);
    CHECK_EQ(received.descriptors.size(), 1u);
    CHECK_EQ(fcntl(looked.descriptors[0], F_GETFD), 0);
    CHECK_EQ(fcntl(received.descriptors[0], F_GETFD), FD_CLOEXEC);
    close(looked.descriptors[0]);
    close(received.descriptors[0]);
}

TEST(stream_reads_stop_behind_descriptors) {
    const Pair pair;
    put(pair[0], "aa");
    CHECK_EQ(send_descriptors(pair[0], "bb", {STDOUT_FILENO}), 2);
    put(pair[0], "cc");
    const Received first = receive_message(pair[1]);
    CHECK_EQ(first.text, "aabb");
    CHECK_EQ(first.descriptors.size(), 1u);
    CHECK_EQ(take(pair[1]), "cc");
    for (const int fd : first.descriptors) {
        close(fd);
    }
    // In pieces, the descriptors come with the first.
    CHECK_EQ(send_descriptors(pair[0], "dddd", {STDOUT_FILENO}), 4);
    const Received piece = receive_message(pair[1], 2);
    CHECK_EQ(piece.descriptors.size(), 1u);
    CHECK_EQ(receive_message(pair[1]).descriptors.size(), 0u);
    for (const int fd : piece.descriptors) {
        close(fd);
    }
}

TEST(without_room_they_are_closed) {
    const Pair pair;
    Witness witness;
    CHECK_EQ(send_descriptors(pair[0], "x", {witness.writer()}), 1);
    witness.give_up();
    CHECK(!witness.is_gone(0));
    const Received received = receive_message(pair[1], 16, 0, 0);
    CHECK_EQ(received.flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(received.control_bytes, 0u);
    CHECK(witness.is_gone());
    CHECK_EQ(send_descriptors(pair[0], "x", {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}), 1);
    const Received cut = receive_message(pair[1], 16, 0, CMSG_LEN(2 * sizeof(int)));
    CHECK_EQ(cut.flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(cut.descriptors.size(), 2u);
    for (const int fd : cut.descriptors) {
        close(fd);
    }
}

TEST(a_plain_read_drops_them) {
    const Pair pair;
    Witness witness;
    CHECK_EQ(send_descriptors(pair[0], "x", {witness.writer()}), 1);
    witness.give_up();
    char byte = 0;
    CHECK_EQ(read(pair[1], &byte, 1), 1);
    CHECK(witness.is_gone());
}

TEST(unreceived_ones_are_closed_with_the_socket) {
    Pair pair;
    Witness witness;
    CHECK_EQ(send_descriptors(pair[0], "x", {witness.writer()}), 1);
    witness.give_up();
    pair.close_end(0);
    CHECK(!witness.is_gone(0));
    pair.close_end(1);
    CHECK(witness.is_gone());
}

TEST(a_socket_in_its_own_queue_is_freed) {
    Witness witness;
    {
        Pair pair;
        CHECK_EQ(send_descriptors(pair[0], "x", {pair[1], witness.writer()}), 1);
        CHECK_EQ(send_descriptors(pair[1], "x", {pair[0]}), 1);
    }
    witness.give_up();
    Pair other;  // whose end makes the kernel look
    other.close_end(0);
    other.close_end(1);
    CHECK(witness.is_gone());
}

TEST(a_ring_of_sockets_is_freed_and_a_reachable_one_is_not) {
    Witness lost;
    Witness kept;
    Pair holder;
    {
        Pair a;
        Pair b;
        Pair c;
        CHECK_EQ(send_descriptors(a[0], "x", {b[1], lost.writer()}), 1);
        CHECK_EQ(send_descriptors(b[0], "x", {c[1]}), 1);
        CHECK_EQ(send_descriptors(c[0], "x", {a[1]}), 1);
        Pair d;
        CHECK_EQ(send_descriptors(d[0], "x", {d[1], kept.writer()}), 1);
        CHECK_EQ(send_descriptors(holder[0], "x", {d[1]}), 1);
    }
    lost.give_up();
    kept.give_up();
    Pair other;
    other.close_end(0);
    other.close_end(1);
    CHECK(lost.is_gone());
    CHECK(!kept.is_gone(0));
    // What is reachable is whole.
    const Received received = receive_message(holder[1]);
    if (CHECK_EQ(received.descriptors.size(), 1u)) {
        const Received inner = receive_message(received.descriptors[0]);
        CHECK_EQ(inner.text, "x");
        CHECK_EQ(inner.descriptors.size(), 2u);
        close(received.descriptors[0]);
        for (const int fd : inner.descriptors) {
            close(fd);
        }
    }
    CHECK(kept.is_gone());
}

TEST(a_connection_that_nobody_accepts) {
    Witness witness;
    {
        const Name name = abstract_name("kpio-test-embryo");
        const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_OK(bind(listener, name.get(), name.length));
        CHECK_OK(listen(listener, 2));
        const int client = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_OK(connect(client, name.get(), name.length));
        CHECK_EQ(send_descriptors(client, "x", {listener, witness.writer()}), 1);
        close(client);
        close(listener);
    }
    witness.give_up();
    Pair other;
    other.close_end(0);
    CHECK(witness.is_gone());
}

// A chain of sockets, each in the queue of the one before, must not be freed by recursion.
TEST(a_long_chain_is_freed) {
    Witness witness;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    int outer = -1;
    {
        Pair first;
        outer = dup(first[0]);
        CHECK_EQ(send_descriptors(first[1], "x", {witness.writer()}), 1);
    }
    for (int i = 0; i < 500; ++i) {
        const Pair next;
        CHECK_EQ(send_descriptors(next[1], "x", {outer}), 1);
        close(outer);
        outer = dup(next[0]);
    }
    witness.give_up();
    CHECK(!witness.is_gone(0));
    close(outer);
    CHECK(witness.is_gone());
}

TEST(errors) {
    const Pair pair;
    CHECK_ERRNO(send_descriptors(pair[0], "x", {77}), EBADF);
    const std::vector<int> many(254, STDOUT_FILENO);
    CHECK_ERRNO(send_descriptors(pair[0], "x", many), EINVAL);
    CHECK_EQ(take(pair[1]), "-EAGAIN");
    const std::vector<int> most(253, STDOUT_FILENO);
    CHECK_EQ(send_descriptors(pair[0], "x", most), 1);
    const Received received = receive_message(pair[1]);
    CHECK_EQ(received.descriptors.size(), 253u);
    for (const int fd : received.descriptors) {
        close(fd);
    }
    iovec vector{const_cast<char*>("x"), 1};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    cmsghdr header{};
    message.msg_control = &header;
    message.msg_controllen = sizeof(header);
    header.cmsg_level = SOL_SOCKET;
    header.cmsg_type = SCM_RIGHTS;
    header.cmsg_len = 8;
    CHECK_ERRNO(sendmsg(pair[0], &message, 0), EINVAL);
    header.cmsg_len = 100;
    CHECK_ERRNO(sendmsg(pair[0], &message, 0), EINVAL);
    header.cmsg_len = sizeof(header);
    header.cmsg_type = 99;
    CHECK_ERRNO(sendmsg(pair[0], &message, 0), EINVAL);
    header.cmsg_level = 99;
    CHECK_EQ(sendmsg(pair[0], &message, 0), 1);
    message.msg_control = reinterpret_cast<void*>(8);
    CHECK_ERRNO(sendmsg(pair[0], &message, 0), EFAULT);
}

TEST(credentials) {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        const Pair pair(type);
        const int on = 1;
        CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        const pid_t child = check::start_child([&] { put(pair[0], "from a child"); });
        const Received received = receive_message(pair[1]);
        CHECK(received.has_credentials);
        CHECK_EQ(received.credentials.pid, child);
        CHECK_EQ(received.credentials.uid, getuid());
        CHECK_EQ(received.credentials.gid, getgid());
        CHECK_EXIT(check::wait_status(child), 0);
    }
}

ssize_t send_credentials(int fd, ucred credentials) {
    iovec vector{const_cast<char*>("x"), 1};
    msghdr message{};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(ucred));
    std::memcpy(CMSG_DATA(header), &credentials, sizeof(credentials));
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

TEST(claimed_credentials) {
    const Pair pair;
    const int on = 1;
    CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    CHECK_EQ(send_credentials(pair[0], {getpid(), getuid(), getgid()}), 1);
    const Received received = receive_message(pair[1]);
    CHECK_EQ(received.credentials.pid, getpid());
    CHECK_CHILD([&] {
        if (getuid() == 0) {
            CHECK_OK(setgid(1234));
            CHECK_OK(setuid(1234));
        }
        CHECK_ERRNO(send_credentials(pair[0], {getpid(), getuid() + 1, getgid()}), EPERM);
        CHECK_ERRNO(send_credentials(pair[0], {getpid(), getuid(), getgid() + 1}), EPERM);
        CHECK_ERRNO(send_credentials(pair[0], {1, getuid(), getgid()}), EPERM);
        CHECK_EQ(send_credentials(pair[0], {getpid(), getuid(), getgid()}), 1);
    });
}

TEST(a_stream_read_has_one_sender) {
    const Pair pair;
    const int on = 1;
    CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    put(pair[0], "parent");
    CHECK_CHILD([&] { put(pair[0], "child"); });
    CHECK_EQ(receive_message(pair[1]).text, "parent");
    CHECK_EQ(receive_message(pair[1]).text, "child");
}

// Descriptors go round while sockets are closed on other threads.
TEST(traffic_and_garbage) {
    std::thread threads[2];
    for (std::thread& thread : threads) {
        thread = std::thread([] {
            for (int i = 0; i < 200; ++i) {
                Pair a;
                Pair b;
                CHECK_EQ(send_descriptors(a[0], "x", {b[0], a[1]}), 1);
                CHECK_EQ(send_descriptors(b[1], "y", {a[0]}), 1);
                if (i % 2 == 0) {
                    const Received received = receive_message(a[1]);
                    CHECK_EQ(received.descriptors.size(), 2u);
                    for (const int fd : received.descriptors) {
                        close(fd);
                    }
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

}  // namespace

TEST_MAIN()
