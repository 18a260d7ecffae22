// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/ipc/channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <iterator>
#include <string>
#include <string_view>

#include "core/ipc/event.h"
#include "support/heap.h"
#include "support/sched_platform.h"

namespace kernel::ipc {
namespace {

using test::KernelThread;
using test::run_in_kernel;

Message make_message(std::string_view text, unsigned priority = 0) {
    Message message;
    MUST(message.bytes.resize(text.size()));
    std::ranges::transform(text, message.bytes.begin(), [](char c) { return std::byte(c); });
    message.priority = priority;
    return message;
}

std::string text_of(const Message& message) {
    std::string text;
    std::ranges::transform(message.bytes, std::back_inserter(text),
                           [](std::byte byte) { return static_cast<char>(byte); });
    return text;
}

std::string read_text(Channel& channel) {
    Result<Message> message = channel.read(false, {});
    return message.has_value() ? text_of(*message) : std::string(error_name(message.error()));
}

TEST(Channel, CarriesMessagesBothWaysInOrder) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({}));
        EXPECT_FALSE(pair.second->is_readable());
        EXPECT_TRUE(pair.first->is_writable());
        EXPECT_TRUE(pair.first->write(make_message("one"), false, {}).has_value());
        EXPECT_TRUE(pair.first->write(make_message(""), false, {}).has_value());
        EXPECT_TRUE(pair.second->write(make_message("back"), false, {}).has_value());
        EXPECT_TRUE(pair.second->is_readable());
        EXPECT_EQ(read_text(*pair.second), "one");
        EXPECT_EQ(read_text(*pair.second), "");
        EXPECT_EQ(read_text(*pair.second), "WouldBlock");
        EXPECT_EQ(read_text(*pair.first), "back");
    });
}

TEST(Channel, TheHigherPriorityComesFirst) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({}));
        for (const auto& [text, priority] : {std::pair{"a0", 0u}, {"b3", 3u}, {"c1", 1u}, {"d3", 3u}}) {
            EXPECT_TRUE(pair.first->write(make_message(text, priority), false, {}).has_value());
        }
        for (const char* expected : {"b3", "d3", "c1", "a0"}) {
            EXPECT_EQ(read_text(*pair.second), expected);
        }
    });
}

TEST(Channel, PassesHandlesWithTheirRights) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({}));
        const RefPtr<Event> event = MUST(Event::create());
        Message message = make_message("take this");
        MUST(message.handles.push_back(object::Slot{.object = event, .rights = object::Rights::Wait, .flags = {}}));
        EXPECT_TRUE(pair.first->write(std::move(message), false, {}).has_value());
        EXPECT_EQ(event->reference_count(), 2u);
        {
            Result<Message> received = pair.second->read(false, {});
            ASSERT_TRUE(received.has_value());
            ASSERT_EQ(received->handles.size(), 1u);
            EXPECT_TRUE(received->handles[0].object == event.get());
            EXPECT_EQ(received->handles[0].rights, object::Rights::Wait);
        }
        EXPECT_EQ(event->reference_count(), 1u);
    });
}

TEST(Channel, RefusesWhatDoesNotFitOrMakesNoSense) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({.messages = 2, .bytes = 10}));
        EXPECT_EQ(pair.first->write(make_message("eleven long"), true, {}).error(), Error::Overflow);
        EXPECT_EQ(pair.first->write(make_message("x", 4), true, {}).error(), Error::InvalidArgument);
        for (const RefPtr<Channel>& end : {pair.first, pair.second}) {
            Message message;
            MUST(message.handles.push_back(object::Slot{.object = end, .rights = object::Rights::All, .flags = {}}));
            EXPECT_EQ(pair.first->write(std::move(message), true, {}).error(), Error::InvalidArgument);
        }
        EXPECT_TRUE(pair.first->write(make_message("12345678"), false, {}).has_value());
        // Refused, the message stays the sender's.
        Message too_much = make_message("345");
        EXPECT_EQ(pair.first->write(std::move(too_much), false, {}).error(), Error::WouldBlock);
        EXPECT_EQ(text_of(too_much), "345");
        EXPECT_TRUE(pair.first->write(make_message("90"), false, {}).has_value());
        EXPECT_FALSE(pair.first->is_writable());
        EXPECT_EQ(pair.first->write(make_message(""), true, {.deadline_ns = 0}).error(), Error::TimedOut);
    });
}

TEST(Channel, ClosingOneEndIsSeenAtTheOther) {
    run_in_kernel([] {
        Channel::Pair pair = MUST(Channel::create_pair({}));
        const RefPtr<Event> event = MUST(Event::create());
        Message message = make_message("never read");
        MUST(message.handles.push_back(object::Slot{.object = event, .rights = object::Rights::All, .flags = {}}));
        EXPECT_TRUE(pair.first->write(std::move(message), false, {}).has_value());
        EXPECT_TRUE(pair.second->write(make_message("last words"), false, {}).has_value());
        pair.second.reset();
        EXPECT_EQ(event->reference_count(), 1u);
        EXPECT_EQ(pair.first->write(make_message("x"), true, {}).error(), Error::BrokenPipe);
        EXPECT_EQ(read_text(*pair.first), "last words");
        EXPECT_TRUE(pair.first->is_readable());
        EXPECT_EQ(read_text(*pair.first), "BrokenPipe");
    });
}

TEST(Channel, ClosingWakesWhoWaits) {
    run_in_kernel([] {
        Channel::Pair pair = MUST(Channel::create_pair({.messages = 1, .bytes = 10}));
        EXPECT_TRUE(pair.first->write(make_message("full"), false, {}).has_value());
        KernelThread reader([&] { EXPECT_EQ(pair.first->read(true, {}).error(), Error::BrokenPipe); });
        KernelThread writer(
            [&] { EXPECT_EQ(pair.first->write(make_message("more"), true, {}).error(), Error::BrokenPipe); });
        test::run_as_user_for(5'000'000);
        pair.second.reset();
    });
}

TEST(Channel, AnInterruptEndsAWait) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({}));
        sched::Thread::current().interrupt();
        EXPECT_EQ(pair.first->read(true, {.interruptible = true}).error(), Error::Interrupted);
        sched::Thread::current().clear_interrupt();
    });
}

// Several writers and readers over a channel that is almost always full or empty.
TEST(Channel, LosesAndDuplicatesNothing) {
    run_in_kernel([] {
        const Channel::Pair pair = MUST(Channel::create_pair({.messages = 3, .bytes = 24}));
        constexpr std::uint64_t kMessages = 1'500;
        constexpr std::uint64_t kWriters = 3;
        std::atomic<std::uint64_t> sum = 0;
        std::atomic<std::uint64_t> received = 0;
        {
            std::deque<KernelThread> threads;
            for (std::uint64_t i = 0; i < kWriters; ++i) {
                threads.emplace_back([&, i] {
                    for (std::uint64_t k = 0; k < kMessages; ++k) {
                        const std::uint64_t value = i * kMessages + k;
                        Message message;
                        MUST(message.bytes.resize(sizeof value + k % 9));
                        std::memcpy(message.bytes.data(), &value, sizeof value);
                        message.priority = static_cast<unsigned>(k % Channel::kPriorities);
                        EXPECT_TRUE(pair.first->write(std::move(message), true, {}).has_value());
                    }
                });
                threads.emplace_back([&] {
                    for (std::uint64_t k = 0; k < kMessages; ++k) {
                        const Result<Message> message = pair.second->read(true, {});
                        ASSERT_TRUE(message.has_value());
                        std::uint64_t value = 0;
                        std::memcpy(&value, message->bytes.data(), sizeof value);
                        sum.fetch_add(value);
                        received.fetch_add(1);
                    }
                });
            }
        }
        constexpr std::uint64_t kTotal = kWriters * kMessages;
        EXPECT_EQ(received, kTotal);
        EXPECT_EQ(sum, kTotal * (kTotal - 1) / 2);
        EXPECT_EQ(read_text(*pair.second), "WouldBlock");
    });
}

TEST(Channel, SurvivesEachFailedAllocation) {
    run_in_kernel([] {
        test::settle();
        test_support::for_each_allocation_failure([]() -> Result<> {
            const Channel::Pair pair = TRY(Channel::create_pair({}));
            Message message;
            TRY(message.bytes.resize(100));
            TRY(pair.first->write(std::move(message), false, {}));
            const Message received = TRY(pair.second->read(false, {}));
            return {};
        });
    });
}

}  // namespace
}  // namespace kernel::ipc
