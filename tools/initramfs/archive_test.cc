// SPDX-License-Identifier: MIT OR Apache-2.0
#include "initramfs/archive.h"

#include <stdexcept>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace initramfs {
namespace {

constexpr std::size_t kHeaderSize = 110;

std::string field(const std::string& bytes, std::size_t entry, std::size_t index) {
    return bytes.substr(entry + 6 + index * 8, 8);
}

std::string list_error(const std::string& list) {
    Archive archive;
    try {
        add_list(archive, list);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

TEST(Initramfs, EmptyArchiveIsTheTrailer) {
    const std::string bytes = Archive().finish();
    EXPECT_EQ(bytes.size(), 124U);
    EXPECT_EQ(bytes.substr(0, 6), "070701");
    EXPECT_EQ(bytes.substr(kHeaderSize, 11), std::string("TRAILER!!!\0", 11));
}

TEST(Initramfs, WritesFileWithPadding) {
    Archive archive;
    archive.add_file("/a", 0755, "hello");
    const std::string bytes = std::move(archive).finish();
    EXPECT_EQ(field(bytes, 0, 0), "00000001");   // inode
    EXPECT_EQ(field(bytes, 0, 1), "000081ED");   // mode
    EXPECT_EQ(field(bytes, 0, 6), "00000005");   // size
    EXPECT_EQ(field(bytes, 0, 11), "00000002");  // name with its NUL
    EXPECT_EQ(bytes.substr(kHeaderSize, 10), std::string("a\0hello\0\0\0", 10));
    EXPECT_EQ(bytes.substr(120, 6), "070701");
}

TEST(Initramfs, WritesFoldersAndSymlinks) {
    Archive archive;
    add_list(archive, "# a comment\n\ndir /bin 0755 0 0\nslink /bin/sh busybox 0777 0 0\n");
    const std::string bytes = std::move(archive).finish();
    EXPECT_EQ(field(bytes, 0, 1), "000041ED");
    EXPECT_EQ(field(bytes, 0, 4), "00000002");
    EXPECT_EQ(field(bytes, 116, 1), "0000A1FF");
    EXPECT_NE(bytes.find("busybox"), std::string::npos);
}

TEST(Initramfs, NamesTheWrongLine) {
    EXPECT_EQ(list_error("dir /a 0755\nfile /x\n"),
              "line 2: expected: dir PATH MODE, file PATH HOSTPATH MODE, or slink PATH TARGET");
    EXPECT_EQ(list_error("dir /a 9\n"), "line 1: '9' is not an octal mode");
    EXPECT_EQ(list_error("dir /a 77777\n"), "line 1: '77777' is not an octal mode");
    EXPECT_EQ(list_error("file /a /nonexistent 0755\n"), "line 1: cannot read /nonexistent");
}

}  // namespace
}  // namespace initramfs
