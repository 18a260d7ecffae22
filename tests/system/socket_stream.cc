// SPDX-License-Identifier: MIT OR Apache-2.0
// Unix stream sockets: connections, bytes, ends, states, waiting.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "system/support/sockets.h"

namespace {

using namespace sockets;
using Clock = std::chrono::steady_clock;

long long milliseconds_since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

struct Listener {
    explicit Listener(const char* text, int backlog = 8, int type = SOCK_STREAM) : name(abstract_name(text)) {
        fd = socket(AF_UNIX, type, 0);
        REQUIRE(fd >= 0);
        REQUIRE(bind(fd, name.get(), name.length) == 0);
        REQUIRE(listen(fd, backlog) == 0);
    }
    ~Listener() {
        if (fd >= 0) {
            close(fd);
        }
    }
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    int connected(int flags = 0) const {
        const int client = socket(AF_UNIX, SOCK_STREAM | flags, 0);
        CHECK_OK(connect(client, name.get(), name.length));
        return client;
    }
    Name name;
    int fd = -1;
};

TEST(creation) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_OK(fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mode, static_cast<mode_t>(S_IFSOCK | 0777));
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    char target[64] = {};
    CHECK_OK(readlink(link.c_str(), target, sizeof(target) - 1));
    CHECK_EQ(std::string_view(target), "socket:[" + std::to_string(status.st_ino) + "]");
    CHECK_ERRNO(open(link.c_str(), O_RDWR), ENXIO);
    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    char byte = 0;
    CHECK_ERRNO(pread(fd, &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(fsync(fd), EINVAL);
    close(fd);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, 4, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, 12, 0), EINVAL);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM | 0x10, 0), EINVAL);
    CHECK_ERRNO(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    int ends[2];
    CHECK_ERRNO(socketpair(77, SOCK_STREAM, 0, ends), EAFNOSUPPORT);
    CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, reinterpret_cast<int*>(8)), EFAULT);
}

TEST(bytes_have_no_boundaries) {
    const Pair pair;
    put(pair[0], "one");
    put(pair[0], "two");
    CHECK_EQ(take(pair[1], 4), "onet");
    CHECK_EQ(take(pair[1]), "wo");
    CHECK_EQ(take(pair[1]), "-EAGAIN");
    CHECK_EQ(write(pair[1], "back", 4), 4);
    char text[8] = {};
    CHECK_EQ(read(pair[0], text, sizeof(text)), 4);
    CHECK_EQ(std::string_view(text), "back");
    iovec parts[2] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cd"), 2}};
    CHECK_EQ(writev(pair[0], parts, 2), 4);
    char left[3] = {};
    char right[3] = {};
    iovec into[2] = {{left, 1}, {right, 2}};
    CHECK_EQ(readv(pair[1], into, 2), 3);
    CHECK_EQ(std::string_view(left), "a");
    CHECK_EQ(std::string_view(right), "bc");
    int unread = 0;
    CHECK_OK(ioctl(pair[1], FIONREAD, &unread));
    CHECK_EQ(unread, 1);
    CHECK_EQ(read(pair[1], text, 0), 0);
}

TEST(looking_does_not_take) {
    const Pair pair;
    put(pair[0], "abc");
    put(pair[0], "def");
    CHECK_EQ(take(pair[1], 2, MSG_PEEK), "ab");
    CHECK_EQ(take(pair[1], 9, MSG_PEEK), "abcdef");
    CHECK_EQ(take(pair[1], 4), "abcd");
    CHECK_EQ(take(pair[1], 9, MSG_PEEK), "ef");
    CHECK_EQ(take(pair[1]), "ef");
}

TEST(the_other_end_goes) {
    Pair pair;
    put(pair[0], "last");
    CHECK_EQ(state(pair[0]), POLLOUT);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT);
    pair.close_end(0);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
    CHECK_EQ(take(pair[1]), "last");
    CHECK_EQ(take(pair[1]), "");
    CHECK_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_CHILD([&] {
        signal(SIGPIPE, SIG_IGN);
        CHECK_ERRNO(write(pair[1], "x", 1), EPIPE);
    });
    CHECK_SIGNALED(check::child_status([&] { (void)send(pair[1], "x", 1, 0); }), SIGPIPE);
    CHECK_SIGNALED(check::child_status([&] { (void)!write(pair[1], "x", 1); }), SIGPIPE);
}

TEST(unread_bytes_reset_the_connection) {
    Pair pair;
    put(pair[1], "never read");
    put(pair[0], "first");
    pair.close_end(0);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
    CHECK_EQ(take(pair[1]), "first");
    CHECK_EQ(take(pair[1]), "-ECONNRESET");
    CHECK_EQ(take(pair[1]), "");
    int error = -1;
    socklen_t length = sizeof(error);
    CHECK_OK(getsockopt(pair[1], SOL_SOCKET, SO_ERROR, &error, &length));
    CHECK_EQ(error, 0);
}

TEST(shutdown_of_one_direction) {
    const Pair pair;
    put(pair[0], "before");
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_EQ(state(pair[0]), POLLOUT);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT | POLLRDHUP);
    CHECK_ERRNO(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(take(pair[1]), "before");
    CHECK_EQ(take(pair[1]), "");
    put(pair[1], "back");
    CHECK_EQ(take(pair[0]), "back");
    CHECK_OK(shutdown(pair[0], SHUT_RD));
    CHECK_EQ(state(pair[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    CHECK_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERRNO(shutdown(pair[0], 3), EINVAL);
    const int lonely = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(state(lonely), POLLOUT | POLLHUP);
    close(lonely);
}

TEST(connection_and_names) {
    const Listener listener("kpio-test-names");
    CHECK_EQ(state(listener.fd), 0);
    const int client = listener.connected();
    CHECK_EQ(state(listener.fd), POLLIN);
    put(client, "early");  // before it is accepted
    sockaddr_un address{};
    socklen_t length = sizeof(address);
    const int server =
        accept4(listener.fd, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK_OK(server);
    CHECK_EQ(length, 2u);
    CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
    CHECK((fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
    CHECK_EQ(state(listener.fd), 0);
    CHECK_EQ(take(server), "early");
    length = sizeof(address);
    CHECK_OK(getpeername(client, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(name_text(address, length), std::string("\0kpio-test-names", 16));
    length = sizeof(address);
    CHECK_OK(getsockname(server, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(name_text(address, length), std::string("\0kpio-test-names", 16));
    length = sizeof(address);
    CHECK_OK(getsockname(client, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(length, 2u);
    CHECK_EQ(address.sun_family, AF_UNIX);
    length = 5;
    CHECK_OK(getpeername(client, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(length, 18u);
    length = static_cast<socklen_t>(-1);
    CHECK_ERRNO(getsockname(client, reinterpret_cast<sockaddr*>(&address), &length), EINVAL);
    CHECK_ERRNO(connect(client, listener.name.get(), listener.name.length), EISCONN);
    close(server);
    close(client);
}

TEST(refusals) {
    const Name nobody = abstract_name("kpio-test-nobody");
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect(client, nobody.get(), nobody.length), ECONNREFUSED);
    CHECK_ERRNO(bind(client, nobody.get(), 1), EINVAL);
    CHECK_ERRNO(bind(client, nobody.get(), 111), EINVAL);
    CHECK_ERRNO(bind(client, nobody.get(), 129), EINVAL);
    CHECK_ERRNO(bind(client, reinterpret_cast<sockaddr*>(8), 20), EFAULT);
    CHECK_ERRNO(listen(client, 1), EINVAL);
    CHECK_ERRNO(accept(client, nullptr, nullptr), EINVAL);
    CHECK_ERRNO(getpeername(client, nullptr, nullptr), ENOTCONN);
    CHECK_ERRNO(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    CHECK_ERRNO(recv(client, nullptr, 1, 0), EINVAL);
    CHECK_OK(bind(client, nobody.get(), nobody.length));
    CHECK_ERRNO(bind(client, nobody.get(), nobody.length), EINVAL);
    const int other = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(bind(other, nobody.get(), nobody.length), EADDRINUSE);
    CHECK_ERRNO(connect(other, nobody.get(), nobody.length), ECONNREFUSED);  // it does not listen
    CHECK_ERRNO(sendto(other, "x", 1, MSG_NOSIGNAL, nobody.get(), nobody.length), EOPNOTSUPP);
    close(client);
    CHECK_OK(bind(other, nobody.get(), nobody.length));  // the name is free again
    close(other);
    CHECK_ERRNO(listen(STDOUT_FILENO, 1), ENOTSOCK);
    CHECK_ERRNO(listen(77, 1), EBADF);
    const Pair pair;
    CHECK_ERRNO(sendto(pair[0], "x", 1, 0, nobody.get(), nobody.length), EISCONN);
    CHECK_ERRNO(listen(pair[0], 1), EINVAL);
    CHECK_ERRNO(accept4(pair[0], nullptr, nullptr, 1), EINVAL);
}

TEST(a_listener_that_goes_resets_those_that_wait) {
    int client = -1;
    {
        const Listener listener("kpio-test-gone");
        client = listener.connected();
        put(client, "lost");
    }
    CHECK((state(client) & (POLLHUP | POLLERR)) == (POLLHUP | POLLERR));
    CHECK_EQ(take(client), "-ECONNRESET");
    CHECK_EQ(take(client), "");
    close(client);
}

TEST(the_backlog_is_bounded) {
    const Listener listener("kpio-test-backlog", 1);
    std::vector<int> clients;
    int refused = 0;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (connect(clients.back(), listener.name.get(), listener.name.length) != 0) {
            CHECK_EQ(errno, EAGAIN);
            ++refused;
        }
    }
    CHECK_EQ(refused, 2);
    const int server = accept(listener.fd, nullptr, nullptr);
    CHECK_OK(server);
    CHECK_OK(connect(clients.back(), listener.name.get(), listener.name.length));
    // One that waits gets its turn.
    const int patient = socket(AF_UNIX, SOCK_STREAM, 0);
    std::thread waiter([&] { CHECK_OK(connect(patient, listener.name.get(), listener.name.length)); });
    usleep(20000);
    const int second = accept(listener.fd, nullptr, nullptr);
    CHECK_OK(second);
    waiter.join();
    close(patient);
    close(second);
    close(server);
    for (const int client : clients) {
        close(client);
    }
}

TEST(accept_waits) {
    const Listener listener("kpio-test-accept");
    std::thread connector([&] {
        usleep(20000);
        close(listener.connected());
    });
    const int server = accept(listener.fd, nullptr, nullptr);
    CHECK_OK(server);
    connector.join();
    close(server);
    fcntl(listener.fd, F_SETFL, O_NONBLOCK);
    CHECK_ERRNO(accept(listener.fd, nullptr, nullptr), EAGAIN);
    CHECK_OK(shutdown(listener.fd, SHUT_RD));
    const int late = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect(late, listener.name.get(), listener.name.length), ECONNREFUSED);
    close(late);
}

TEST(a_full_socket_is_not_writable) {
    const Pair pair(SOCK_STREAM | SOCK_NONBLOCK);
    const std::string block(4096, 'x');
    std::size_t sent = 0;
    while (true) {
        const ssize_t count = send(pair[0], block.data(), block.size(), 0);
        if (count < 0) {
            CHECK_EQ(errno, EAGAIN);
            break;
        }
        sent += static_cast<std::size_t>(count);
    }
    CHECK(sent >= 65536);
    CHECK_EQ(state(pair[0]), 0);
    CHECK_EQ(state(pair[1]), POLLIN | POLLOUT);
    std::size_t received = 0;
    std::string room(65536, '\0');
    while (true) {
        const ssize_t count = read(pair[1], room.data(), room.size());
        if (count < 0) {
            break;
        }
        received += static_cast<std::size_t>(count);
    }
    CHECK_EQ(received, sent);
    CHECK_EQ(state(pair[0]), POLLOUT);
}

TEST(much_data_arrives_in_order) {
    const Pair pair;
    constexpr std::size_t kBytes = 4 << 20;
    std::thread writer([&] {
        std::string text(kBytes, '\0');
        for (std::size_t i = 0; i < kBytes; ++i) {
            text[i] = static_cast<char>(i * 7 + i / 4096);
        }
        CHECK_EQ(write(pair[0], text.data(), text.size()), static_cast<ssize_t>(kBytes));
        CHECK_OK(shutdown(pair[0], SHUT_WR));
    });
    std::string room(50000, '\0');
    std::size_t position = 0;
    bool same = true;
    while (true) {
        const ssize_t count = read(pair[1], room.data(), room.size());
        if (count <= 0) {
            CHECK_EQ(count, 0);
            break;
        }
        for (ssize_t i = 0; i < count; ++i, ++position) {
            same = same && room[static_cast<std::size_t>(i)] == static_cast<char>(position * 7 + position / 4096);
        }
    }
    writer.join();
    CHECK(same);
    CHECK_EQ(position, kBytes);
}

TEST(wait_for_all) {
    const Pair pair;
    std::thread writer([&] {
        for (const char* part : {"ab", "cd", "ef"}) {
            usleep(10000);
            put(pair[0], part);
        }
    });
    CHECK_EQ(take(pair[1], 6, MSG_WAITALL), "abcdef");
    writer.join();
    put(pair[0], "xy");
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_EQ(take(pair[1], 6, MSG_WAITALL), "xy");
}

TEST(timeouts) {
    const Pair pair;
    const timeval wait{0, 40000};
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)));
    timeval seen{};
    socklen_t length = sizeof(seen);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &seen, &length));
    CHECK_EQ(seen.tv_usec, 40000);
    const auto start = Clock::now();
    CHECK_EQ(take(pair[0], 8, 0), "-EAGAIN");
    CHECK(milliseconds_since(start) >= 40);
    CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)));
    const std::string block(8192, 'x');
    while (send(pair[1], block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    const auto again = Clock::now();
    ssize_t count = send(pair[1], block.data(), block.size(), 0);
    while (count > 0) {
        count = send(pair[1], block.data(), block.size(), 0);
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK(milliseconds_since(again) >= 40);
    const timeval bad{0, 1'000'000};
    CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)), EDOM);
    CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wait, 8), EINVAL);
}

void on_signal(int) {}

TEST(signals_and_waits) {
    const Pair pair;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, nullptr);
    const pthread_t self = pthread_self();
    const auto signal_soon = [self] {
        return std::thread([self] {
            usleep(30000);
            pthread_kill(self, SIGUSR1);
        });
    };
    std::thread first = signal_soon();
    CHECK_EQ(take(pair[0], 8, 0), "-EINTR");
    first.join();
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, nullptr);
    std::thread second = signal_soon();
    std::thread writer([&] {
        usleep(80000);
        put(pair[1], "x");
    });
    CHECK_EQ(take(pair[0], 8, 0), "x");
    second.join();
    writer.join();
    // signal(7): with a timeout a wait is not restarted.
    const timeval wait{5, 0};
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)));
    std::thread third = signal_soon();
    CHECK_EQ(take(pair[0], 8, 0), "-EINTR");
    third.join();
    std::thread fourth = signal_soon();
    char byte = 0;
    CHECK_ERRNO(read(pair[0], &byte, 1), EINTR);
    fourth.join();
}

TEST(bad_addresses) {
    const Pair pair;
    char* const bad = reinterpret_cast<char*>(8);
    CHECK_ERRNO(send(pair[0], bad, 4, 0), EFAULT);
    put(pair[0], "kept");
    CHECK_ERRNO(recv(pair[1], bad, 4, 0), EFAULT);
    CHECK_EQ(take(pair[1]), "kept");
    CHECK_ERRNO(static_cast<int>(sendmsg(pair[0], reinterpret_cast<msghdr*>(8), 0)), EFAULT);
    CHECK_ERRNO(static_cast<int>(recvmsg(pair[0], reinterpret_cast<msghdr*>(8), 0)), EFAULT);
    msghdr message{};
    message.msg_iovlen = 1025;
    CHECK_ERRNO(static_cast<int>(sendmsg(pair[0], &message, 0)), EMSGSIZE);
}

TEST(edges_for_epoll) {
    Pair pair;
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    put(pair[1], "a");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    CHECK_EQ(static_cast<std::uint32_t>(event.events), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    put(pair[1], "b");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    // Room for what we sent is no news for a reader.
    put(pair[0], "c");
    CHECK_EQ(take(pair[1]), "c");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    pair.close_end(1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    CHECK_EQ(static_cast<std::uint32_t>(event.events), static_cast<std::uint32_t>(EPOLLIN | EPOLLRDHUP | EPOLLHUP));
    close(epoll);
}

TEST(several_readers_and_writers) {
    const Pair pair;
    std::atomic<long> sum = 0;
    std::thread readers[3];
    for (std::thread& reader : readers) {
        reader = std::thread([&] {
            unsigned char byte = 0;
            while (read(pair[1], &byte, 1) == 1) {
                sum += byte;
            }
        });
    }
    std::thread writers[3];
    for (std::thread& writer : writers) {
        writer = std::thread([&] {
            for (unsigned char i = 1; i <= 100; ++i) {
                CHECK_EQ(write(pair[0], &i, 1), 1);
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK_EQ(sum.load(), 3 * 5050);
}

TEST(options) {
    const Pair pair;
    const auto number = [&](int option) {
        int value = -1;
        socklen_t length = sizeof(value);
        CHECK_OK(getsockopt(pair[0], SOL_SOCKET, option, &value, &length));
        CHECK_EQ(length, 4u);
        return value;
    };
    CHECK_EQ(number(SO_TYPE), SOCK_STREAM);
    CHECK_EQ(number(SO_DOMAIN), AF_UNIX);
    CHECK_EQ(number(SO_PROTOCOL), 0);
    CHECK_EQ(number(SO_ERROR), 0);
    CHECK_EQ(number(SO_ACCEPTCONN), 0);
    const Listener listener("kpio-test-options");
    int accepts = 0;
    socklen_t length = sizeof(accepts);
    CHECK_OK(getsockopt(listener.fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length));
    CHECK_EQ(accepts, 1);
    int value = 10000;
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
    CHECK_EQ(number(SO_SNDBUF), 20000);
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)));
    CHECK_EQ(number(SO_RCVBUF), 20000);
    value = 1;
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
    CHECK_EQ(number(SO_SNDBUF), 4608);
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
    CHECK_EQ(number(SO_KEEPALIVE), 1);
    CHECK_EQ(number(SO_REUSEADDR), 0);
    CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, 999, &value, sizeof(value)), ENOPROTOOPT);
    CHECK_ERRNO(getsockopt(pair[0], SOL_SOCKET, 999, &value, &length), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &value, 2), EINVAL);
    CHECK_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, reinterpret_cast<void*>(8), 4), EFAULT);
    CHECK_ERRNO(setsockopt(pair[0], 6, 1, &value, sizeof(value)), EOPNOTSUPP);
    length = static_cast<socklen_t>(-1);
    CHECK_ERRNO(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length), EINVAL);
    CHECK_ERRNO(setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), ENOTSOCK);
    ucred peer{};
    length = sizeof(peer);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK_EQ(peer.pid, getpid());
    CHECK_EQ(peer.uid, geteuid());
    const int lonely = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(getsockopt(lonely, SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK_EQ(peer.pid, 0);
    CHECK_EQ(peer.uid, static_cast<uid_t>(-1));
    close(lonely);
}

TEST(peer_credentials_of_a_connection) {
    const Listener listener("kpio-test-peercred");
    const pid_t child = check::start_child([&] {
        const int client = listener.connected();
        ucred peer{};
        socklen_t length = sizeof(peer);
        CHECK_OK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length));
        CHECK_EQ(peer.pid, getppid());
        take(client, 1, 0);
    });
    const int server = accept(listener.fd, nullptr, nullptr);
    ucred peer{};
    socklen_t length = sizeof(peer);
    CHECK_OK(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK_EQ(peer.pid, child);
    put(server, "x");
    CHECK_EXIT(check::wait_status(child), 0);
    close(server);
}

}  // namespace

TEST_MAIN()
