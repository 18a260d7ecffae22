// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "lib/assert.h"
#include "lib/bytes.h"

namespace kernel {

// First in, first out queue of bytes over memory that belongs to somebody else, of any size. Not synchronised.
class RingBuffer {
public:
    RingBuffer() = default;
    explicit RingBuffer(std::span<std::byte> storage) : storage_(storage) {}

    std::size_t capacity() const { return storage_.size(); }
    std::size_t size() const { return size_; }
    std::size_t free_space() const { return capacity() - size_; }
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ == capacity(); }

    // As much as fits; returns how many bytes that was.
    std::size_t write(std::span<const std::byte> bytes) {
        std::size_t written = 0;
        while (written < bytes.size() && !full()) {
            const auto region = writable();
            const auto part = bytes.subspan(written).first(smaller(region.size(), bytes.size() - written));
            copy_bytes(region, part);
            commit(part.size());
            written += part.size();
        }
        return written;
    }
    // As much as there is; returns how many bytes that was.
    std::size_t read(std::span<std::byte> bytes) {
        const std::size_t count = peek(bytes);
        consume(count);
        return count;
    }
    // Like read, starting `offset` bytes behind the oldest, and leaves the bytes there.
    std::size_t peek(std::span<std::byte> bytes, std::size_t offset = 0) const {
        std::size_t copied = 0;
        while (copied < bytes.size() && offset + copied < size_) {
            const auto region = readable(offset + copied);
            const auto part = region.first(smaller(region.size(), bytes.size() - copied));
            copy_bytes(bytes.subspan(copied), part);
            copied += part.size();
        }
        return copied;
    }

    // For producers and consumers that work in place: the next contiguous free bytes (empty if full), then how many of
    // them were filled; the next contiguous bytes from `offset` on (empty if there are none), then how many are done
    // with.
    std::span<std::byte> writable() const {
        if (full()) {
            return {};
        }
        const std::size_t begin = wrap(start_ + size_);
        const std::size_t end = begin < start_ ? start_ : capacity();
        return storage_.subspan(begin, end - begin);
    }
    void commit(std::size_t count) {
        KASSERT(count <= free_space());
        size_ += count;
    }
    std::span<const std::byte> readable(std::size_t offset = 0) const {
        if (offset >= size_) {
            return {};
        }
        const std::size_t begin = wrap(start_ + offset);
        return storage_.subspan(begin, smaller(size_ - offset, capacity() - begin));
    }
    void consume(std::size_t count) {
        KASSERT(count <= size_);
        size_ -= count;
        // Starting over when empty keeps the regions long.
        start_ = size_ == 0 ? 0 : wrap(start_ + count);
    }

    void clear() {
        start_ = 0;
        size_ = 0;
    }

private:
    static std::size_t smaller(std::size_t left, std::size_t right) { return left < right ? left : right; }
    std::size_t wrap(std::size_t position) const { return position >= capacity() ? position - capacity() : position; }

    std::span<std::byte> storage_;
    std::size_t start_ = 0;
    std::size_t size_ = 0;
};

}  // namespace kernel
