// SPDX-License-Identifier: MIT OR Apache-2.0
// Unix sockets with names in the file system.
#include <signal.h>

#include "system/support/scratch.h"
#include "system/support/sockets.h"

namespace {

using namespace sockets;

scratch::Directory directory;

std::string in_directory(std::string_view name) {
    return directory.path() + "/" + std::string(name);
}

int listening(const std::string& path, int type = SOCK_STREAM) {
    const Name name = path_name(path);
    const int fd = socket(AF_UNIX, type, 0);
    CHECK_OK(bind(fd, name.get(), name.length));
    CHECK_OK(listen(fd, 4));
    return fd;
}

int connect_to(int fd, const std::string& path) {
    const Name name = path_name(path);
    return connect(fd, name.get(), name.length);
}

TEST(bind_makes_a_node) {
    const std::string path = in_directory("node");
    const mode_t mask = umask(022);
    const int listener = listening(path);
    umask(mask);
    struct stat status{};
    CHECK_OK(stat(path.c_str(), &status));
    CHECK_EQ(status.st_mode, static_cast<mode_t>(S_IFSOCK | 0755));
    CHECK_ERRNO(open(path.c_str(), O_RDWR), ENXIO);
    sockaddr_un address{};
    socklen_t length = sizeof(address);
    CHECK_OK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(length, 2 + path.size() + 1);
    CHECK_EQ(std::string_view(address.sun_path), path);
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(connect_to(client, path));
    length = sizeof(address);
    CHECK_OK(getpeername(client, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(std::string_view(address.sun_path), path);
    const int server = accept(listener, nullptr, nullptr);
    put(client, "by path");
    CHECK_EQ(take(server), "by path");
    close(server);
    close(client);
    // Another name of the same socket, and a link to it.
    const std::string other = in_directory("other");
    CHECK_OK(rename(path.c_str(), other.c_str()));
    const std::string link = in_directory("link");
    CHECK_OK(symlink(other.c_str(), link.c_str()));
    const int through = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(connect_to(through, link));
    close(through);
    close(listener);
    const int late = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect_to(late, other), ECONNREFUSED);
    close(late);
    CHECK_OK(unlink(other.c_str()));
    CHECK_OK(unlink(link.c_str()));
}

TEST(names_in_use_and_missing) {
    const std::string path = in_directory("used");
    const int listener = listening(path);
    const Name name = path_name(path);
    const int other = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(bind(other, name.get(), name.length), EADDRINUSE);
    const Name missing = path_name(in_directory("no/such"));
    CHECK_ERRNO(bind(other, missing.get(), missing.length), ENOENT);
    CHECK_ERRNO(connect_to(other, in_directory("missing")), ENOENT);
    scratch::make_file(in_directory("file").c_str(), "x");
    CHECK_ERRNO(connect_to(other, in_directory("file")), ECONNREFUSED);
    CHECK_ERRNO(connect_to(other, in_directory("file/x")), ENOTDIR);
    CHECK_OK(mknod(in_directory("dead").c_str(), S_IFSOCK | 0777, 0));
    CHECK_ERRNO(connect_to(other, in_directory("dead")), ECONNREFUSED);
    const int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_ERRNO(connect_to(datagram, path), EPROTOTYPE);
    CHECK_ERRNO(sendto(datagram, "x", 1, 0, name.get(), name.length), EPROTOTYPE);
    // A name without its final zero.
    const Name free = path_name(in_directory("short"));
    CHECK_OK(bind(other, free.get(), free.length - 1));
    sockaddr_un address{};
    socklen_t length = sizeof(address);
    CHECK_OK(getsockname(other, reinterpret_cast<sockaddr*>(&address), &length));
    CHECK_EQ(length, free.length);
    close(datagram);
    close(other);
    close(listener);
    for (const char* used : {"used", "file", "dead", "short"}) {
        CHECK_OK(unlink(in_directory(used).c_str()));
    }
}

TEST(an_unlinked_name_refuses) {
    const std::string path = in_directory("gone");
    const int listener = listening(path);
    CHECK_OK(unlink(path.c_str()));
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect_to(client, path), ENOENT);
    const int again = listening(path);
    CHECK_OK(connect_to(client, path));
    close(client);
    close(again);
    close(listener);
    CHECK_OK(unlink(path.c_str()));
}

TEST(connecting_needs_permission_to_write) {
    if (getuid() != 0) {
        return;
    }
    const std::string path = in_directory("guarded");
    const int listener = listening(path);
    CHECK_OK(chmod(path.c_str(), 0755));
    CHECK_CHILD([&] {
        CHECK_OK(setgid(1234));
        CHECK_OK(setuid(1234));
        const int client = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK_ERRNO(connect_to(client, path), EACCES);
        const Name forbidden = path_name(in_directory("forbidden"));
        CHECK_ERRNO(bind(client, forbidden.get(), forbidden.length), EACCES);
    });
    close(listener);
    CHECK_OK(unlink(path.c_str()));
}

TEST(datagrams_by_path) {
    const std::string path = in_directory("dgram");
    const Name name = path_name(path);
    const int server = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_OK(bind(server, name.get(), name.length));
    const std::string own = in_directory("own");
    const Name own_name = path_name(own);
    const int client = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_OK(bind(client, own_name.get(), own_name.length));
    CHECK_EQ(sendto(client, "ask", 3, 0, name.get(), name.length), 3);
    sockaddr_un from{};
    socklen_t length = sizeof(from);
    char text[8] = {};
    CHECK_EQ(recvfrom(server, text, sizeof(text), 0, reinterpret_cast<sockaddr*>(&from), &length), 3);
    CHECK_EQ(std::string_view(from.sun_path), own);
    CHECK_EQ(sendto(server, "answer", 6, 0, reinterpret_cast<sockaddr*>(&from), length), 6);
    CHECK_EQ(take(client), "answer");
    close(client);
    close(server);
    CHECK_OK(unlink(path.c_str()));
    CHECK_OK(unlink(own.c_str()));
}

}  // namespace

TEST_MAIN()
