// SPDX-License-Identifier: MIT OR Apache-2.0
// Large and sparse memory, brk(2), mremap(2).
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>

#include "system/support/check.h"

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kTerabyte = 1ul << 40;
constexpr int kReserve = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

std::byte* map(std::size_t bytes, int protection, int flags = MAP_PRIVATE | MAP_ANONYMOUS) {
    void* at = mmap(nullptr, bytes, protection, flags, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
}

std::byte* remap(void* at, std::size_t old_bytes, std::size_t new_bytes, int flags, void* to = nullptr) {
    return reinterpret_cast<std::byte*>(syscall(SYS_mremap, at, old_bytes, new_bytes, flags, to));
}

std::uintptr_t raw_brk(std::uintptr_t to) {
    return static_cast<std::uintptr_t>(syscall(SYS_brk, to));
}

}  // namespace

TEST(terabytes_without_access) {
    std::byte* areas[4];
    for (std::byte*& area : areas) {
        area = map(kTerabyte, PROT_NONE, kReserve);
    }
    // Parts become usable.
    for (std::byte* area : areas) {
        for (int i = 0; i < 8; ++i) {
            std::byte* at = area + static_cast<std::size_t>(i) * (kTerabyte / 8) + 12345 * kPage;
            CHECK_OK(mprotect(at, 4 * kPage, PROT_READ | PROT_WRITE));
            at[kPage] = std::byte{7};
        }
    }
    CHECK_CHILD([&] {
        for (std::byte* area : areas) {
            CHECK(area[12346 * kPage] == std::byte{7});
            area[12346 * kPage] = std::byte{8};
        }
    });
    CHECK(areas[3][kTerabyte / 2 + 12346 * kPage] == std::byte{7});
    CHECK(areas[3][12346 * kPage] == std::byte{7});
    for (std::byte* area : areas) {
        CHECK_OK(munmap(area, kTerabyte));
    }
}

TEST(terabytes_with_access) {
    std::byte* area = map(kTerabyte, PROT_READ | PROT_WRITE, kReserve);
    for (std::size_t offset = 0; offset < kTerabyte; offset += kTerabyte / 16) {
        area[offset + 5] = std::byte{9};
    }
    unsigned sum = 0;
    for (std::size_t offset = 0; offset < kTerabyte; offset += kTerabyte / 64) {
        sum += static_cast<unsigned>(area[offset + 5]);
    }
    CHECK_EQ(sum, 16u * 9);
    CHECK_OK(madvise(area, kTerabyte, MADV_DONTNEED));
    CHECK(area[5] == std::byte{0});
    CHECK_OK(munmap(area, kTerabyte));
}

TEST(many_mappings) {
    // Alternating protections cannot be merged.
    constexpr std::size_t kCount = 4000;
    std::byte* area = map(kCount * kPage, PROT_READ | PROT_WRITE);
    for (std::size_t i = 0; i < kCount; i += 2) {
        REQUIRE(mprotect(area + i * kPage, kPage, PROT_READ) == 0);
        area[(i + 1) * kPage] = std::byte{1};
    }
    for (std::size_t i = 0; i < kCount; i += 2) {
        REQUIRE(area[i * kPage] == std::byte{0} && area[(i + 1) * kPage] == std::byte{1});
    }
    CHECK_CHILD([&] { CHECK(area[kPage] == std::byte{1}); });
    CHECK_OK(mprotect(area, kCount * kPage, PROT_READ | PROT_WRITE));
    area[0] = std::byte{1};
    CHECK_OK(munmap(area, kCount * kPage));
}

TEST(contents_of_many_pages) {
    constexpr std::size_t kBytes = 64 << 20;
    std::byte* area = map(kBytes, PROT_READ | PROT_WRITE);
    for (std::size_t at = 0; at < kBytes; at += kPage) {
        std::memcpy(area + at, &at, sizeof(at));
    }
    bool right = true;
    for (std::size_t at = 0; at < kBytes; at += kPage) {
        std::size_t seen;
        std::memcpy(&seen, area + at, sizeof(seen));
        right = right && seen == at;
    }
    CHECK(right);
    munmap(area, kBytes);
}

TEST(program_break) {
    CHECK_CHILD([] {
        const std::uintptr_t start = raw_brk(0);
        CHECK_EQ(raw_brk(1), start);  // refused: the old value
        CHECK_EQ(raw_brk(~0ul), start);
        const std::uintptr_t end = start + 64 * kPage + 100;
        CHECK_EQ(raw_brk(end), end);
        auto* memory = reinterpret_cast<volatile std::byte*>(start);
        memory[0] = std::byte{1};
        memory[64 * kPage] = std::byte{2};
        CHECK_EQ(raw_brk(start + kPage), start + kPage);
        CHECK_EQ(raw_brk(end), end);
        CHECK(memory[0] == std::byte{1});
        CHECK(memory[64 * kPage] == std::byte{0});  // what comes back is new
        CHECK_CHILD([&] { CHECK_EQ(raw_brk(0), end); });
        const rlimit limit{1 << 20, 1 << 20};
        CHECK_OK(setrlimit(RLIMIT_DATA, &limit));
        CHECK_EQ(raw_brk(end + (4 << 20)), end);
        CHECK_EQ(raw_brk(start), start);
    });
}

TEST(the_break_does_not_run_into_mappings) {
    CHECK_CHILD([] {
        const std::uintptr_t start = raw_brk(0);
        const std::uintptr_t page = (start + kPage - 1) & ~(kPage - 1);
        void* obstacle = reinterpret_cast<void*>(page + 16 * kPage);
        REQUIRE(mmap(obstacle, kPage, PROT_READ, kReserve | MAP_FIXED_NOREPLACE, -1, 0) == obstacle);
        CHECK_EQ(raw_brk(page + 32 * kPage), start);
        CHECK_EQ(raw_brk(page + 8 * kPage), page + 8 * kPage);
    });
}

TEST(shrinking_and_growing) {
    std::byte* area = map(9 * kPage, PROT_READ | PROT_WRITE);
    munmap(area + 8 * kPage, kPage);
    std::memset(area, 1, 8 * kPage);
    CHECK(remap(area, 8 * kPage, 4 * kPage, 0) == area);
    // Room behind it: grows in place.
    CHECK(remap(area, 4 * kPage, 8 * kPage, 0) == area);
    CHECK(area[4 * kPage - 1] == std::byte{1} && area[4 * kPage] == std::byte{0});
    // No room: only by moving.
    void* obstacle = mmap(area + 8 * kPage, kPage, PROT_READ, kReserve | MAP_FIXED, -1, 0);
    CHECK_EQ(obstacle, static_cast<void*>(area + 8 * kPage));
    CHECK_ERRNO(syscall(SYS_mremap, area, 8 * kPage, 16 * kPage, 0), ENOMEM);
    std::byte* moved = remap(area, 8 * kPage, 16 * kPage, MREMAP_MAYMOVE);
    REQUIRE(moved != MAP_FAILED);
    CHECK(moved != area);
    CHECK(moved[0] == std::byte{1} && moved[4 * kPage - 1] == std::byte{1} && moved[15 * kPage] == std::byte{0});
    // The old place is free.
    CHECK(mmap(area, kPage, PROT_READ, kReserve | MAP_FIXED_NOREPLACE, -1, 0) == area);
    munmap(area, 9 * kPage);
    munmap(moved, 16 * kPage);
}

TEST(moving_to_a_place) {
    std::byte* from = map(4 * kPage, PROT_READ | PROT_WRITE);
    std::byte* to = map(8 * kPage, PROT_READ | PROT_WRITE);
    std::memset(from, 1, 4 * kPage);
    std::memset(to, 2, 8 * kPage);
    CHECK(remap(from, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * kPage) == to + 2 * kPage);
    CHECK(to[0] == std::byte{2} && to[2 * kPage] == std::byte{1} && to[6 * kPage] == std::byte{2});
    CHECK_CHILD([&] { CHECK(to[2 * kPage] == std::byte{1}); });
    munmap(to, 8 * kPage);
}

TEST(remapping_shared_memory) {
    std::byte* area = map(4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    area[0] = std::byte{1};
    // An old size of nought makes a second mapping of the same memory.
    std::byte* second = remap(area, 0, 4 * kPage, MREMAP_MAYMOVE);
    REQUIRE(second != MAP_FAILED);
    second[0] = std::byte{5};
    CHECK(area[0] == std::byte{5});
    munmap(area, 4 * kPage);
    munmap(second, 4 * kPage);
}

TEST(remapping_errors) {
    std::byte* area = map(8 * kPage, PROT_READ | PROT_WRITE);
    const auto fails = [](auto... arguments) { return syscall(SYS_mremap, arguments...); };
    CHECK_ERRNO(fails(area + 1, kPage, kPage, 0), EINVAL);
    CHECK_ERRNO(fails(area, kPage, 0ul, 0), EINVAL);
    CHECK_ERRNO(fails(area, kPage, kPage, 0x100), EINVAL);
    CHECK_ERRNO(fails(area, kPage, kPage, MREMAP_FIXED, area + 4 * kPage), EINVAL);
    CHECK_ERRNO(fails(area, kPage, kPage, MREMAP_FIXED | MREMAP_MAYMOVE, area + 4 * kPage + 1), EINVAL);
    CHECK_ERRNO(fails(area, 4 * kPage, 4 * kPage, MREMAP_FIXED | MREMAP_MAYMOVE, area + 2 * kPage), EINVAL);
    CHECK_ERRNO(fails(area, 0ul, kPage, MREMAP_MAYMOVE), EINVAL);  // private
    munmap(area + 4 * kPage, 4 * kPage);
    CHECK_ERRNO(fails(area, 8 * kPage, 16 * kPage, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERRNO(fails(area + 4 * kPage, kPage, 2 * kPage, MREMAP_MAYMOVE), EFAULT);
    munmap(area, 4 * kPage);
}

TEST_MAIN()
