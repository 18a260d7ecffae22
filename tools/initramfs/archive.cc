// SPDX-License-Identifier: MIT OR Apache-2.0
#include "initramfs/archive.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace initramfs {
namespace {

constexpr std::uint32_t kFolder = 0040000;
constexpr std::uint32_t kFile = 0100000;
constexpr std::uint32_t kSymlink = 0120000;
constexpr std::uint32_t kPermissions = 07777;
constexpr std::size_t kAlignment = 4;

std::string read_file(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream.is_open() || stream.bad()) {
        throw std::runtime_error("cannot read " + path);
    }
    return content;
}

std::uint32_t parse_mode(const std::string& text) {
    std::size_t used = 0;
    unsigned long mode = kPermissions + 1;
    try {
        mode = std::stoul(text, &used, 8);
    } catch (const std::logic_error&) {
        used = 0;
    }
    if (used != text.size() || text.empty() || mode > kPermissions) {
        throw std::runtime_error("'" + text + "' is not an octal mode");
    }
    return static_cast<std::uint32_t>(mode);
}

void add_line(Archive& archive, const std::string& line) {
    std::istringstream words(line);
    std::string kind;
    std::string path;
    std::string source;
    std::string mode;
    if (!(words >> kind) || kind.starts_with("#")) {
        return;
    }
    if (kind == "dir" && words >> path >> mode) {
        archive.add_folder(path, parse_mode(mode));
    } else if (kind == "file" && words >> path >> source >> mode) {
        archive.add_file(path, parse_mode(mode), read_file(source));
    } else if (kind == "slink" && words >> path >> source) {
        archive.add_symlink(path, source);
    } else {
        throw std::runtime_error("expected: dir PATH MODE, file PATH HOSTPATH MODE, or slink PATH TARGET");
    }
}

}  // namespace

void Archive::add_folder(std::string_view path, std::uint32_t permissions) {
    add(path, kFolder | permissions, {});
}

void Archive::add_file(std::string_view path, std::uint32_t permissions, std::string_view content) {
    add(path, kFile | permissions, content);
}

void Archive::add_symlink(std::string_view path, std::string_view target) {
    add(path, kSymlink | 0777, target);
}

std::string Archive::finish() && {
    next_inode_ = 0;
    add("TRAILER!!!", 0, {});
    return std::move(bytes_);
}

void Archive::add(std::string_view path, std::uint32_t mode, std::string_view content) {
    if (content.size() > UINT32_MAX) {
        throw std::runtime_error(std::string(path) + " is larger than the format allows");
    }
    if (path.starts_with("/")) {
        path.remove_prefix(1);
    }
    const unsigned links = (mode & kFolder) == kFolder ? 2 : 1;
    // magic, inode, mode, uid, gid, links, mtime, size, device (2), special device (2), length of the name, checksum
    std::array<char, 128> header;
    const int length =
        std::snprintf(header.data(), header.size(), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                      next_inode_++, mode, 0U, 0U, links, 0U, static_cast<unsigned>(content.size()), 0U, 0U, 0U, 0U,
                      static_cast<unsigned>(path.size() + 1), 0U);
    bytes_.append(header.data(), static_cast<std::size_t>(length));
    bytes_.append(path);
    bytes_.push_back('\0');
    pad();
    bytes_.append(content);
    pad();
}

void Archive::pad() {
    bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0');
}

void add_list(Archive& archive, std::string_view list) {
    std::istringstream lines{std::string(list)};
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        try {
            add_line(archive, line);
        } catch (const std::runtime_error& error) {
            throw std::runtime_error("line " + std::to_string(number) + ": " + error.what());
        }
    }
}

}  // namespace initramfs
