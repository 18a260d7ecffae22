// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/bytes.h"
#include "platform/frames.h"
#include "selftest.h"

DECLARE_USER_CODE(read_data);
DECLARE_USER_CODE(write_data);

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

namespace {

constexpr VirtAddr kPage{0x610000};
constexpr VirtAddr kLarge{0x40000000};

Trap read_at(Program& program) {
    program.registers().rip = kCode.value;
    return program.run();
}

void check_map_protect_unmap() {
    Program program(USER_CODE(write_data));
    CHECK(read_at(program).kind == TrapKind::Fault);
    MUST(program.map().map(kPage, program.data_frame(), 1, Access::Read | Access::Write));
    CHECK(read_at(program).kind == TrapKind::Syscall);
    CHECK_EQUAL(read_unaligned<std::uint64_t>(program.data(), 8), 42);
    program.map().protect(kPage, 1, Access::Read);
    CHECK(read_at(program).kind == TrapKind::Fault);
    program.map().protect(kPage, 1, Access::Read | Access::Write);
    CHECK(read_at(program).kind == TrapKind::Syscall);
    program.map().protect(kPage, 1, Access::None);
    CHECK(read_at(program).kind == TrapKind::Fault);
    program.map().protect(kPage, 1, Access::Read | Access::Write);  // unmapped pages stay so
    CHECK(read_at(program).kind == TrapKind::Fault);
    MUST(program.map().map(kPage, program.data_frame(), 1, Access::Read | Access::Write));
    CHECK(read_at(program).kind == TrapKind::Syscall);
    program.map().unmap(kPage, 1);
    program.map().commit();
    CHECK(read_at(program).kind == TrapKind::Fault);
    // A replacing map.
    const FrameNumber other = take_frame();
    MUST(program.map().map(kPage, program.data_frame(), 1, Access::Read | Access::Write));
    CHECK(read_at(program).kind == TrapKind::Syscall);
    MUST(program.map().map(kPage, other, 1, Access::Read | Access::Write));
    CHECK(read_at(program).kind == TrapKind::Syscall);
    CHECK_EQUAL(read_unaligned<std::uint64_t>({frame_pointer(other), kPageSize}, 8), 42);
    program.map().unmap(kPage, 1);
    program.map().commit();
    give_back_frame(other);
}

void check_runs() {
    // 100 pages over a table's border, all showing frames of one large run.
    const FrameNumber run = take_large_run();
    Program program(USER_CODE(read_data));
    constexpr VirtAddr kNear{0x610000 - 50 * 0x1000};
    write_unaligned(std::span(frame_pointer(run + 50), kPageSize), 0, std::uint64_t{0x1234});
    MUST(program.map().map(kNear, run, 100, Access::Read));
    CHECK(read_at(program).kind == TrapKind::Syscall);
    CHECK_EQUAL(program.registers().rax, 0x1234);
    program.map().unmap(kNear, 100);
    CHECK(read_at(program).kind == TrapKind::Fault);
}

void check_large_pages() {
    const FrameNumber run = take_large_run();
    const std::size_t before = frames_in_use();
    auto map = MUST(PageMap::create());
    MUST(map->map(kLarge, run, 512, Access::Read | Access::Write));
    const std::size_t with_large = frames_in_use();
    CHECK_EQUAL(with_large - before, 3);  // root, pointers, directory
    map->protect(kLarge, 512, Access::Read);
    MUST(map->map(kLarge + 0x5000, run, 1, Access::Read));  // drops the large page
    CHECK_EQUAL(frames_in_use() - before, 4);
    MUST(map->map(kLarge, run, 512, Access::Read));  // and back: the table goes
    CHECK_EQUAL(frames_in_use() - before, 3);
    map->unmap(kLarge + 0x7000, 1);
    map->commit();
    map.reset();
    CHECK_EQUAL(frames_in_use(), before);
}

void check_sparse() {
    const std::size_t before = frames_in_use();
    {
        auto map = MUST(PageMap::create());
        const FrameNumber frame = take_frame();
        for (std::uint64_t address = kUserMin.value; address < kUserMax.value; address += std::uint64_t{1} << 42) {
            MUST(map->map(VirtAddr{address}, frame, 1, Access::Read));
        }
        MUST(map->map(kUserMax - kPageSize, frame, 1, Access::Read));
        map->unmap(kUserMin, (kUserMax - kUserMin) >> kPageShift);
        map->protect(kUserMin, (kUserMax - kUserMin) >> kPageShift, Access::Read);
        map->commit();
        give_back_frame(frame);
    }
    CHECK_EQUAL(frames_in_use(), before);
}

void check_out_of_memory() {
    const std::size_t before = frames_in_use();
    for (std::size_t budget = 0; budget < 8; ++budget) {
        fail_allocations_after(budget);
        auto map = PageMap::create();
        if (map) {
            const auto mapped = (*map)->map(kPage, FrameNumber{0x1000}, 1, Access::Read);
            CHECK(mapped || mapped.error() == Error::NoMemory);
        }
        fail_allocations_after(SIZE_MAX);
        map = Error::NoMemory;
        CHECK_EQUAL(frames_in_use(), before);
    }
}

}  // namespace

void test_page_map() {
    check_map_protect_unmap();
    check_runs();
    check_large_pages();
    check_sparse();
    check_out_of_memory();
}

}  // namespace selftest
