// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/string.h"

#include "lib/heap.h"
#include "lib/types.h"

namespace kernel {

void String::free_block() {
    if (data_ != nullptr) {
        heap_free(data_, capacity_ + 1, 1);
    }
}

Result<String> String::create(std::string_view text) {
    String result;
    if (!text.empty()) {
        TRY(result.reserve(text.size()));
        TRY(result.append(text));
    }
    return result;
}

Result<> String::reserve(std::size_t size) {
    if (size <= capacity_) {
        return {};
    }
    const auto bytes = checked_add(size, 1);
    if (!bytes) {
        return Error::NoMemory;
    }
    char* const block = static_cast<char*>(TRY(heap_allocate(*bytes, 1)));
    if (size_ != 0) {
        __builtin_memcpy(block, data_, size_);
    }
    block[size_] = '\0';
    free_block();
    data_ = block;
    capacity_ = size;
    return {};
}

Result<> String::append(std::string_view text) {
    if (text.empty()) {
        return {};
    }
    const auto needed = checked_add(size_, text.size());
    if (!needed) {
        return Error::NoMemory;
    }
    if (*needed > capacity_) {
        // Into a new block while `text`, which may be part of this string, is still readable.
        constexpr std::size_t kMinimum = 15;
        const std::size_t doubled = capacity_ > kMinimum ? capacity_ * 2 + 1 : kMinimum;
        String larger;
        TRY(larger.reserve(*needed > doubled ? *needed : doubled));
        if (size_ != 0) {
            __builtin_memcpy(larger.data_, data_, size_);
        }
        __builtin_memcpy(larger.data_ + size_, text.data(), text.size());
        swap(larger);
        size_ = *needed;
        data_[size_] = '\0';
        return {};
    }
    __builtin_memmove(data_ + size_, text.data(), text.size());
    size_ = *needed;
    data_[size_] = '\0';
    return {};
}

Result<> String::assign(std::string_view text) {
    if (text.size() <= capacity_ && data_ != nullptr) {
        if (!text.empty()) {
            __builtin_memmove(data_, text.data(), text.size());
        }
        size_ = text.size();
        data_[size_] = '\0';
        return {};
    }
    String replacement = TRY(create(text));
    swap(replacement);
    return {};
}

Result<> String::resize(std::size_t size) {
    if (size <= size_) {
        truncate(size);
        return {};
    }
    TRY(reserve(size));
    __builtin_memset(data_ + size_, 0, size - size_ + 1);
    size_ = size;
    return {};
}

void String::truncate(std::size_t size) {
    KASSERT(size <= size_);
    size_ = size;
    if (data_ != nullptr) {
        data_[size_] = '\0';
    }
}

}  // namespace kernel
