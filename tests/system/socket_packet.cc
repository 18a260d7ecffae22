// SPDX-License-Identifier: MIT OR Apache-2.0
// Unix datagram and seqpacket sockets; several messages in one call.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <thread>

#include "system/support/sockets.h"

namespace {

using namespace sockets;

int bound_datagram(const Name& name, int flags = 0) {
    const int fd = socket(AF_UNIX, SOCK_DGRAM | flags, 0);
    REQUIRE(fd >= 0);
    REQUIRE(bind(fd, name.get(), name.length) == 0);
    return fd;
}

TEST(messages_keep_their_boundaries) {
    for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
        const Pair pair(type);
        put(pair[0], "one");
        put(pair[0], "");
        put(pair[0], "three");
        int unread = 0;
        CHECK_OK(ioctl(pair[1], FIONREAD, &unread));
        CHECK_EQ(unread, type == SOCK_DGRAM ? 3 : 8);
        CHECK_EQ(take(pair[1], 9, MSG_PEEK), "one");
        CHECK_EQ(take(pair[1]), "one");
        CHECK_EQ(take(pair[1]), "");
        CHECK_EQ(take(pair[1], 2), "th");
        CHECK_EQ(take(pair[1]), "-EAGAIN");
        put(pair[0], "longer");
        Received cut = receive_message(pair[1], 3);
        CHECK_EQ(cut.text, "lon");
        CHECK_EQ(cut.flags & MSG_TRUNC, MSG_TRUNC);
        put(pair[0], "longer");
        cut = receive_message(pair[1], 3, MSG_TRUNC);
        CHECK_EQ(cut.count, 6);
    }
}

TEST(datagrams_by_name) {
    const Name here = abstract_name("kpio-test-dgram-here");
    const Name there = abstract_name("kpio-test-dgram-there");
    const int a = bound_datagram(here, SOCK_NONBLOCK);
    const int b = bound_datagram(there, SOCK_NONBLOCK);
    CHECK_EQ(sendto(a, "hello", 5, 0, there.get(), there.length), 5);
    sockaddr_un from{};
    socklen_t length = sizeof(from);
    char text[16] = {};
    CHECK_EQ(recvfrom(b, text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&from), &length), 5);
    CHECK_EQ(name_text(from, length), std::string("\0kpio-test-dgram-here", 21));
    const int nameless = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(sendto(nameless, "hi", 2, 0, there.get(), there.length), 2);
    length = sizeof(from);
    CHECK_EQ(recvfrom(b, text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&from), &length), 2);
    CHECK_EQ(length, 0u);
    CHECK_ERRNO(send(nameless, "x", 1, 0), ENOTCONN);
    CHECK_OK(connect(nameless, there.get(), there.length));
    put(nameless, "connected");
    CHECK_EQ(take(b), "connected");
    // b hears only a from now on.
    CHECK_OK(connect(b, here.get(), here.length));
    CHECK_ERRNO(send(nameless, "x", 1, 0), EPERM);
    CHECK_ERRNO(connect(nameless, there.get(), there.length), EPERM);
    sockaddr dissolve{};
    dissolve.sa_family = AF_UNSPEC;
    CHECK_OK(connect(b, &dissolve, sizeof(dissolve)));
    put(nameless, "again");
    CHECK_EQ(take(b), "again");
    close(b);
    CHECK_ERRNO(send(nameless, "x", 1, 0), ECONNREFUSED);
    CHECK_ERRNO(send(nameless, "x", 1, 0), ENOTCONN);
    CHECK_ERRNO(sendto(a, "x", 1, 0, there.get(), there.length), ECONNREFUSED);
    CHECK_ERRNO(listen(a, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(a, nullptr, nullptr), EOPNOTSUPP);
    close(nameless);
    close(a);
}

TEST(automatic_names) {
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK_OK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)));
    socklen_t length = sizeof(address);
    CHECK_OK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(length, 8u);
    const std::string name = name_text(address, length);
    CHECK_EQ(name.size(), 6u);
    CHECK_EQ(name[0], '\0');
    CHECK_EQ(name.find_first_not_of("0123456789abcdef", 1), std::string::npos);
    close(fd);
}

TEST(sizes) {
    const Pair pair(SOCK_DGRAM);
    int value = 4000;
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
    const std::string large(8000 - 32 + 1, 'x');
    CHECK_ERRNO(send(pair[0], large.data(), large.size(), 0), EMSGSIZE);
    const std::string fits(5000, 'x');
    put(pair[0], fits);
    CHECK_EQ(take(pair[1], 9000).size(), fits.size());
}

TEST(a_long_queue_holds_strangers_up) {
    const Name name = abstract_name("kpio-test-queue");
    const int server = bound_datagram(name);
    const int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK_OK(connect(client, name.get(), name.length));
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLOUT;
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event));
    int sent = 0;
    while (send(client, "x", 1, 0) == 1) {
        ++sent;
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent >= 10 && sent < 1000);
    CHECK_EQ(state(client), 0);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    fcntl(client, F_SETFL, 0);
    std::thread writer([&] { put(client, "waited"); });
    usleep(20000);
    for (int i = 0; i < sent; ++i) {
        CHECK_EQ(take(server, 16, 0), "x");
    }
    writer.join();
    CHECK_EQ(take(server, 16, 0), "waited");
    CHECK_EQ(state(client), POLLOUT);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 1000), 1);
    close(epoll);
    close(client);
    close(server);
}

TEST(seqpacket_connections) {
    const Name name = abstract_name("kpio-test-seqpacket");
    const int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_OK(bind(listener, name.get(), name.length));
    CHECK_OK(listen(listener, 4));
    int client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK_EQ(state(client), POLLOUT | POLLHUP);
    CHECK_ERRNO(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERRNO(recv(client, nullptr, 0, 0), ENOTCONN);
    CHECK_OK(connect(client, name.get(), name.length));
    const int server = accept(listener, nullptr, nullptr);
    put(client, "hello");
    CHECK_EQ(take(server), "hello");
    put(client, "last");
    close(client);
    CHECK_EQ(state(server), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    CHECK_EQ(take(server), "last");
    CHECK_EQ(take(server), "");
    CHECK_CHILD([&] { CHECK_ERRNO(send(server, "x", 1, 0), EPIPE); });  // without a signal
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect(client, name.get(), name.length), ECONNREFUSED);  // names of another kind
    close(client);
    close(server);
    close(listener);
}

TEST(the_other_datagram_end_goes) {
    Pair pair(SOCK_DGRAM);
    put(pair[0], "left");
    pair.close_end(0);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT);
    CHECK_EQ(take(pair[1]), "left");
    CHECK_EQ(take(pair[1]), "-EAGAIN");
    CHECK_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
}

TEST(many_messages_in_one_call) {
    const Pair pair(SOCK_DGRAM);
    char first[] = "first";
    char second[] = "second!";
    iovec vectors[2] = {{first, 5}, {second, 7}};
    mmsghdr messages[2] = {};
    for (int i = 0; i < 2; ++i) {
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK_EQ(sendmmsg(pair[0], messages, 2, 0), 2);
    CHECK_EQ(messages[0].msg_len, 5u);
    CHECK_EQ(messages[1].msg_len, 7u);
    char room[4][16] = {};
    iovec into[4];
    mmsghdr received[4] = {};
    for (int i = 0; i < 4; ++i) {
        into[i] = {room[i], sizeof(room[i])};
        received[i].msg_hdr.msg_iov = &into[i];
        received[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK_EQ(recvmmsg(pair[1], received, 4, MSG_WAITFORONE, nullptr), 2);
    CHECK_EQ(received[0].msg_len, 5u);
    CHECK_EQ(std::string_view(room[1], 7), "second!");
    CHECK_ERRNO(recvmmsg(pair[1], received, 4, MSG_DONTWAIT, nullptr), EAGAIN);
    timespec bad{0, -1};
    CHECK_ERRNO(recvmmsg(pair[1], received, 1, 0, &bad), EINVAL);
    put(pair[0], "x");
    timespec soon{0, 1000};
    CHECK_EQ(recvmmsg(pair[1], received, 1, 0, &soon), 1);
}

TEST(receivers_wait) {
    const Pair pair(SOCK_DGRAM);
    std::thread writer([&] {
        usleep(20000);
        put(pair[0], "late");
    });
    CHECK_EQ(take(pair[1], 16, 0), "late");
    writer.join();
    CHECK_OK(shutdown(pair[1], SHUT_RD));
    CHECK_EQ(take(pair[1], 16, 0), "");
    CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

}  // namespace

TEST_MAIN()
