// SPDX-License-Identifier: MIT OR Apache-2.0
// What tests of Unix sockets share.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "system/support/check.h"

namespace sockets {

// Two connected sockets, closed at the end.
struct Pair {
    explicit Pair(int type = SOCK_STREAM) { REQUIRE(socketpair(AF_UNIX, type, 0, ends) == 0); }
    ~Pair() {
        close_end(0);
        close_end(1);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    int operator[](int which) const { return ends[which]; }
    void close_end(int which) {
        if (ends[which] >= 0) {
            close(ends[which]);
            ends[which] = -1;
        }
    }
    int ends[2] = {-1, -1};
};

struct Name {
    sockaddr_un address{};
    socklen_t length = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

inline Name path_name(std::string_view path) {
    Name name;
    name.address.sun_family = AF_UNIX;
    std::memcpy(name.address.sun_path, path.data(), path.size());
    name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return name;
}

inline Name abstract_name(std::string_view text) {
    Name name;
    name.address.sun_family = AF_UNIX;
    std::memcpy(name.address.sun_path + 1, text.data(), text.size());
    name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return name;
}

// The name without its family; an abstract one begins with a zero.
inline std::string name_text(const sockaddr_un& address, socklen_t length) {
    return length <= 2 ? std::string() : std::string(address.sun_path, length - 2);
}

inline short state(int fd) {
    pollfd wanted{fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK_OK(poll(&wanted, 1, 0));
    return wanted.revents;
}

// What is there, or the errno with a minus.
inline std::string take(int fd, std::size_t bytes = 256, int flags = MSG_DONTWAIT) {
    std::string text(bytes, '\0');
    const ssize_t count = recv(fd, text.data(), bytes, flags);
    if (count < 0) {
        return std::string("-") + strerrorname_np(errno);
    }
    text.resize(static_cast<std::size_t>(count));
    return text;
}

inline void put(int fd, std::string_view text) {
    CHECK_EQ(send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// Sends one message with descriptors.
inline ssize_t send_descriptors(int fd, std::string_view text, const std::vector<int>& descriptors, int flags = 0) {
    std::vector<char> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
    iovec vector{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    return sendmsg(fd, &message, flags | MSG_NOSIGNAL);
}

struct Received {
    ssize_t count = -1;
    int flags = 0;
    std::string text;
    std::vector<int> descriptors;
    bool has_credentials = false;
    ucred credentials{};
    std::size_t control_bytes = 0;
};

inline Received receive_message(int fd, std::size_t bytes = 256, int flags = 0, std::size_t control_bytes = 2048) {
    Received result;
    std::string text(bytes, '\0');
    std::vector<char> control(control_bytes + 1);
    iovec vector{text.data(), bytes};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control_bytes != 0 ? control.data() : nullptr;
    message.msg_controllen = control_bytes;
    result.count = recvmsg(fd, &message, flags);
    if (result.count < 0) {
        return result;
    }
    result.text = text.substr(0, std::min(static_cast<std::size_t>(result.count), bytes));
    result.flags = message.msg_flags;
    result.control_bytes = message.msg_controllen;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            result.descriptors.resize(count);
            std::memcpy(result.descriptors.data(), CMSG_DATA(header), count * sizeof(int));
        }
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
            result.has_credentials = true;
            std::memcpy(&result.credentials, CMSG_DATA(header), sizeof(ucred));
        }
    }
    return result;
}

}  // namespace sockets
