// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/pipe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "lib/bytes.h"
#include "support/heap.h"
#include "support/sched_platform.h"

namespace kernel::linux_abi {
namespace {

using test::KernelThread;
using test::run_in_kernel;
using vfs::PollEvents;

RefPtr<Pipe> open_pipe() {
    RefPtr<Pipe> pipe = MUST(Pipe::create());
    (void)pipe->open(Pipe::End::Read);
    (void)pipe->open(Pipe::End::Write);
    return pipe;
}

Result<std::size_t> put(Pipe& pipe, std::string_view text, bool non_blocking = false) {
    mm::IoBuffer from(as_bytes(text));
    return pipe.write(from, non_blocking);
}

std::string take(Pipe& pipe, std::size_t bytes, bool non_blocking = true) {
    std::string text(bytes, '\0');
    mm::IoBuffer to(std::as_writable_bytes(std::span(text)));
    const Result<std::size_t> count = pipe.read(to, non_blocking);
    if (!count) {
        return std::string(error_name(count.error()));
    }
    text.resize(*count);
    return text;
}

TEST(Pipe, GivesBackWhatWentIn) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        EXPECT_EQ(put(*pipe, "hello ").value(), 6U);
        EXPECT_EQ(put(*pipe, "world").value(), 5U);
        EXPECT_EQ(pipe->readable_bytes(), 11U);
        EXPECT_EQ(take(*pipe, 3), "hel");
        EXPECT_EQ(take(*pipe, 100), "lo world");
        EXPECT_EQ(take(*pipe, 100), "WouldBlock");
        EXPECT_EQ(take(*pipe, 0), "");
    });
}

TEST(Pipe, EndsWithTheLastWriterAndBreaksWithTheLastReader) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        MUST(put(*pipe, "rest"));
        pipe->close(Pipe::End::Write);
        EXPECT_EQ(take(*pipe, 10), "rest");
        EXPECT_EQ(take(*pipe, 10), "");
        (void)pipe->open(Pipe::End::Write);
        pipe->close(Pipe::End::Read);
        EXPECT_EQ(put(*pipe, "x").error(), Error::BrokenPipe);
        EXPECT_EQ(put(*pipe, "").value(), 0U);
    });
}

TEST(Pipe, SmallWritesAreAllOrNothing) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        EXPECT_EQ(put(*pipe, std::string(Pipe::kDefaultBytes - 100, 'a'), true).value(), Pipe::kDefaultBytes - 100);
        EXPECT_EQ(put(*pipe, std::string(101, 'b'), true).error(), Error::WouldBlock);
        EXPECT_EQ(put(*pipe, std::string(Pipe::kAtomicBytes + 1, 'c'), true).value(), 100U);
        EXPECT_EQ(put(*pipe, "d", true).error(), Error::WouldBlock);
        EXPECT_EQ(pipe->readable_bytes(), Pipe::kDefaultBytes);
    });
}

TEST(Pipe, KeepsOrderAroundTheRing) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        unsigned in = 0;
        unsigned out = 0;
        MUST(put(*pipe, std::string(5000, 'x')));
        EXPECT_EQ(take(*pipe, 4999).size(), 4999U);
        for (int round = 0; round < 200; ++round) {
            std::string text(1 + static_cast<unsigned>(round) * 37 % 3000, '\0');
            for (char& c : text) {
                c = static_cast<char>(in++ % 251);
            }
            ASSERT_EQ(put(*pipe, text).value(), text.size());
            const std::string back = take(*pipe, round == 0 ? text.size() + 1 : text.size());
            ASSERT_EQ(back.size(), text.size() + (round == 0 ? 1 : 0));
            for (const char c : std::string_view(back).substr(round == 0 ? 1 : 0)) {
                ASSERT_EQ(c, static_cast<char>(out++ % 251));
            }
        }
    });
}

TEST(Pipe, AnIdlePipeKeepsLittleMemoryAndATransferAllocatesNothing) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        MUST(put(*pipe, std::string(Pipe::kDefaultBytes, 'a')));
        const std::size_t full = test_support::live_heap_bytes();
        EXPECT_EQ(take(*pipe, Pipe::kDefaultBytes).size(), Pipe::kDefaultBytes);
        EXPECT_LE(test_support::live_heap_bytes(), full - 14 * kPageSize);
        const std::size_t before = test_support::heap_allocations();
        std::array<std::byte, 100> bytes{};
        for (int i = 0; i < 1000; ++i) {
            mm::IoBuffer from{std::span<const std::byte>(bytes)};
            MUST(pipe->write(from, true));
            mm::IoBuffer to{std::span<std::byte>(bytes)};
            MUST(pipe->read(to, true));
        }
        EXPECT_EQ(test_support::heap_allocations(), before);
    });
}

TEST(Pipe, WaitingReaderAndWriterAreWoken) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        const RefPtr<Pipe> back = open_pipe();
        const KernelThread echo([&] {
            for (std::string text = take(*pipe, 10, false); !text.empty(); text = take(*pipe, 10, false)) {
                MUST(put(*back, text));
            }
        });
        for (int i = 0; i < 2000; ++i) {
            const std::string text = std::to_string(i);
            MUST(put(*pipe, text));
            ASSERT_EQ(take(*back, 10, false), text);
        }
        pipe->close(Pipe::End::Write);
    });
}

TEST(Pipe, ManyWritersDoNotMix) {
    run_in_kernel([] {
        constexpr int kWriters = 4;
        constexpr int kMessages = 300;
        constexpr std::size_t kBytes = 1000;
        const RefPtr<Pipe> pipe = open_pipe();
        std::vector<std::unique_ptr<KernelThread>> writers;
        for (int w = 0; w < kWriters; ++w) {
            writers.push_back(std::make_unique<KernelThread>([&, w] {
                const std::string message(kBytes, static_cast<char>('a' + w));
                for (int i = 0; i < kMessages; ++i) {
                    ASSERT_EQ(put(*pipe, message).value(), kBytes);
                }
            }));
        }
        std::string all;
        while (all.size() < kBytes * kMessages * kWriters) {
            all += take(*pipe, 3333, false);
        }
        for (std::size_t i = 0; i < all.size(); i += kBytes) {
            const std::string message = all.substr(i, kBytes);
            ASSERT_EQ(message.find_first_not_of(message.front()), std::string::npos) << "at " << i;
        }
    });
}

TEST(Pipe, LargeWritesGoThroughInPieces) {
    run_in_kernel([] {
        constexpr std::size_t kBytes = 1'000'000;
        const RefPtr<Pipe> pipe = open_pipe();
        const KernelThread writer([&] {
            std::string text(kBytes, '\0');
            for (std::size_t i = 0; i < kBytes; ++i) {
                text[i] = static_cast<char>(i % 253);
            }
            EXPECT_EQ(put(*pipe, text).value(), kBytes);
            pipe->close(Pipe::End::Write);
        });
        std::size_t got = 0;
        for (std::string text = take(*pipe, 7777, false); !text.empty(); text = take(*pipe, 7777, false)) {
            for (const char c : text) {
                ASSERT_EQ(c, static_cast<char>(got++ % 253));
            }
        }
        EXPECT_EQ(got, kBytes);
    });
}

TEST(Pipe, InterruptEndsAWait) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        sched::Thread::current().interrupt();
        EXPECT_EQ(take(*pipe, 1, false), "Interrupted");
        EXPECT_EQ(put(*pipe, std::string(Pipe::kDefaultBytes + 10, 'a')).value(), Pipe::kDefaultBytes);
        EXPECT_EQ(put(*pipe, "x").error(), Error::Interrupted);
        sched::Thread::current().clear_interrupt();
    });
}

PollEvents events(Pipe& pipe, Pipe::End end, std::uint64_t quiet_until = Pipe::kNever) {
    return MUST(pipe.poll(end, quiet_until, nullptr));
}

TEST(Pipe, PollTellsTheState) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        constexpr PollEvents kReadable = PollEvents::In | PollEvents::ReadNormal;
        constexpr PollEvents kWritable = PollEvents::Out | PollEvents::WriteNormal;
        EXPECT_EQ(events(*pipe, Pipe::End::Read), PollEvents::None);
        EXPECT_EQ(events(*pipe, Pipe::End::Write), kWritable);
        MUST(put(*pipe, std::string(Pipe::kDefaultBytes, 'a')));
        EXPECT_EQ(events(*pipe, Pipe::End::Read), kReadable);
        EXPECT_EQ(events(*pipe, Pipe::End::Write), PollEvents::None);
        EXPECT_EQ(events(*pipe, Pipe::End::Both), kReadable);
        pipe->close(Pipe::End::Write);
        EXPECT_EQ(events(*pipe, Pipe::End::Read), kReadable | PollEvents::HangUp);
        (void)take(*pipe, Pipe::kDefaultBytes);
        EXPECT_EQ(events(*pipe, Pipe::End::Read), PollEvents::HangUp);
        EXPECT_EQ(events(*pipe, Pipe::End::Read, 1), PollEvents::None);
        (void)pipe->open(Pipe::End::Write);
        pipe->close(Pipe::End::Read);
        EXPECT_EQ(events(*pipe, Pipe::End::Write), kWritable | PollEvents::Error);
    });
}

TEST(Pipe, CapacityChangesKeepTheContents) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        MUST(put(*pipe, std::string(60000, 'a')));
        EXPECT_EQ(take(*pipe, 58000).size(), 58000U);
        std::string text;
        for (int i = 0; i < 5000; ++i) {
            text.push_back(static_cast<char>('a' + i % 26));
        }
        MUST(put(*pipe, text));
        EXPECT_EQ(pipe->set_capacity(4096).error(), Error::Busy);
        MUST(pipe->set_capacity(8192));
        EXPECT_EQ(pipe->capacity(), 8192U);
        EXPECT_EQ(take(*pipe, 10000), std::string(2000, 'a') + text);
        MUST(put(*pipe, text));
        MUST(pipe->set_capacity(1 << 20));
        EXPECT_EQ(take(*pipe, 10000), text);
        EXPECT_EQ(put(*pipe, std::string(1 << 20, 'z'), true).value(), 1U << 20);
    });
}

TEST(Pipe, FifoEndsWaitForEachOther) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = MUST(Pipe::create());
        std::atomic<bool> opened = false;
        {
            const KernelThread reader([&] {
                const Pipe::Opened since = pipe->open(Pipe::End::Read);
                if (!since.has_writers) {
                    MUST(pipe->wait_for_writer(since));
                }
                opened = true;
            });
            const Pipe::Opened since = pipe->open(Pipe::End::Write);
            if (!since.has_readers) {
                MUST(pipe->wait_for_reader(since));
            }
        }
        EXPECT_TRUE(opened);
        pipe->close(Pipe::End::Both);
        EXPECT_FALSE(pipe->has_readers());
    });
}

TEST(Pipe, LastCloseDropsTheContents) {
    run_in_kernel([] {
        const RefPtr<Pipe> pipe = open_pipe();
        MUST(put(*pipe, "lost"));
        pipe->close(Pipe::End::Both);
        (void)pipe->open(Pipe::End::Both);
        EXPECT_EQ(take(*pipe, 10), "WouldBlock");
    });
}

TEST(Pipe, OutOfMemoryIsAnError) {
    run_in_kernel([] {
        test_support::for_each_allocation_failure([]() -> Result<> {
            const RefPtr<Pipe> pipe = TRY(Pipe::create());
            (void)pipe->open(Pipe::End::Both);
            static const std::string text(10000, 'a');
            mm::IoBuffer from(as_bytes(text));
            while (from.remaining() != 0) {
                TRY(pipe->write(from, true));
            }
            TRY(pipe->set_capacity(16384));
            return {};
        });
    });
}

}  // namespace
}  // namespace kernel::linux_abi
