// SPDX-License-Identifier: MIT OR Apache-2.0
// mremap(2).
#include <sys/resource.h>

#include "system/support/scratch.h"

namespace {

constexpr std::size_t kPage = 4096;

char* map(std::size_t pages, int flags = MAP_PRIVATE | MAP_ANONYMOUS, int fd = -1) {
    void* const at = mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, flags, fd, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<char*>(at);
}

// Pages with nothing mapped behind or in front of them.
char* map_alone(std::size_t pages) {
    char* const around = map(pages + 20);
    CHECK_OK(munmap(around, 10 * kPage));
    CHECK_OK(munmap(around + (10 + pages) * kPage, 10 * kPage));
    return around + 10 * kPage;
}

bool is_mapped(char* at) {
    unsigned char state;
    return mincore(at, kPage, &state) == 0;
}

TEST(grows_in_place) {
    char* const at = map_alone(2);
    at[0] = 'a';
    CHECK_EQ(mremap(at, 2 * kPage, 5 * kPage, 0), at);
    at[4 * kPage] = 'e';
    CHECK_EQ(at[0], 'a');
    CHECK_OK(munmap(at, 5 * kPage));
}

TEST(shrinks) {
    char* const at = map(5);
    at[kPage] = 'b';
    CHECK_EQ(mremap(at, 5 * kPage, 2 * kPage, 0), at);
    CHECK_EQ(at[kPage], 'b');
    CHECK(!is_mapped(at + 2 * kPage));
    CHECK_OK(munmap(at, 2 * kPage));
}

TEST(moves) {
    char* const at = map(6);
    at[0] = 'a';
    at[kPage] = 'b';
    CHECK_ERRNO(mremap(at, 2 * kPage, 4 * kPage, 0), ENOMEM);  // the next page is in the way
    char* const moved = static_cast<char*>(mremap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE));
    REQUIRE(moved != MAP_FAILED);
    CHECK(moved != at);
    CHECK_EQ(moved[0], 'a');
    CHECK_EQ(moved[kPage], 'b');
    CHECK_EQ(moved[3 * kPage], '\0');
    CHECK(!is_mapped(at));
    CHECK(is_mapped(at + 2 * kPage));
    CHECK_OK(munmap(moved, 4 * kPage));
    CHECK_OK(munmap(at, 6 * kPage));
}

TEST(to_an_address) {
    char* const at = map(2);
    char* const target = map(4);
    at[kPage] = 'b';
    target[0] = 't';
    CHECK_EQ(mremap(at, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target + kPage), target + kPage);
    CHECK_EQ(target[2 * kPage], 'b');
    CHECK_EQ(target[0], 't');
    CHECK(!is_mapped(at));
    CHECK_OK(munmap(target, 4 * kPage));
}

TEST(keeps_the_old_one) {
    char* const at = map(2);
    at[0] = 'a';
    // Not by the C library's function, which passes on any fifth argument as a wish.
    const long result = syscall(SYS_mremap, at, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0L);
    REQUIRE(result != -1);
    char* const moved = reinterpret_cast<char*>(result);
    CHECK_EQ(moved[0], 'a');
    CHECK_EQ(at[0], '\0');
    at[0] = 'n';
    CHECK_EQ(moved[0], 'a');
    CHECK_OK(munmap(at, 2 * kPage));
    CHECK_OK(munmap(moved, 2 * kPage));
}

TEST(shared_and_of_files) {
    const scratch::Fd fd(memfd_create("remap", 0));
    CHECK_OK(ftruncate(fd, 4 * kPage));
    char* const at = map(2, MAP_SHARED, fd);
    at[kPage] = 'b';
    char* const moved = static_cast<char*>(mremap(at, 2 * kPage, 4 * kPage, MREMAP_MAYMOVE));
    REQUIRE(moved != MAP_FAILED);
    moved[3 * kPage] = 'd';
    char c = 0;
    CHECK_EQ(pread(fd, &c, 1, 3 * kPage), 1);
    CHECK_EQ(c, 'd');
    // An old length of 0 makes a second mapping of the same.
    char* const second = static_cast<char*>(mremap(moved, 0, 2 * kPage, MREMAP_MAYMOVE));
    REQUIRE(second != MAP_FAILED);
    second[0] = 's';
    CHECK_EQ(moved[0], 's');
    CHECK_OK(munmap(moved, 4 * kPage));
    CHECK_OK(munmap(second, 2 * kPage));
}

TEST(errors) {
    char* const at = map(4);
    CHECK_ERRNO(mremap(at + 1, kPage, kPage, 0), EINVAL);
    CHECK_ERRNO(mremap(at, kPage, 0, 0), EINVAL);
    CHECK_ERRNO(mremap(at, kPage, kPage, 64), EINVAL);
    CHECK_ERRNO(mremap(at, kPage, kPage, MREMAP_FIXED, at), EINVAL);
    CHECK_ERRNO(mremap(at, 2 * kPage, kPage, MREMAP_MAYMOVE | MREMAP_FIXED, at + kPage), EINVAL);
    CHECK_ERRNO(mremap(at, kPage, kPage, MREMAP_DONTUNMAP), EINVAL);
    CHECK_ERRNO(mremap(at, kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
    CHECK_ERRNO(mremap(at, 0, kPage, MREMAP_MAYMOVE), EINVAL);  // private memory is not doubled
    CHECK_OK(munmap(at + kPage, kPage));
    CHECK_ERRNO(mremap(at, 3 * kPage, 6 * kPage, MREMAP_MAYMOVE), EFAULT);
    CHECK_ERRNO(mremap(at + kPage, kPage, 2 * kPage, MREMAP_MAYMOVE), EFAULT);
    CHECK_CHILD([&] {
        const rlimit limit{64 << 20, 64 << 20};
        CHECK_OK(setrlimit(RLIMIT_AS, &limit));
        CHECK_ERRNO(mremap(at, kPage, std::size_t{1} << 30, MREMAP_MAYMOVE), ENOMEM);
    });
    CHECK_OK(munmap(at, 4 * kPage));
}

}  // namespace

TEST_MAIN()
