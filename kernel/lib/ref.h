// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "lib/assert.h"
#include "lib/construct.h"
#include "lib/heap.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

// Base of objects that are shared by reference count. Made with make_ref, held by RefPtr. The count starts at 1.
class RefCounted : public NonCopyable {
public:
    void add_reference() const {
        const std::uint32_t before = count_.fetch_add(1, std::memory_order_relaxed);
        // 0: the object is being destroyed. The upper half: references leak, and wrapping would free an object in use.
        KASSERT(before - 1 < kLimit);
    }

    // Takes a reference unless the last one is already gone. For tables that hold objects without counting them; the
    // caller makes sure, by the table's lock, that the memory is still there.
    [[nodiscard]] bool try_add_reference() const {
        std::uint32_t count = count_.load(std::memory_order_relaxed);
        do {
            if (count == 0) {
                return false;
            }
            KASSERT(count < kLimit);
        } while (!count_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
        return true;
    }

    void drop_reference() const {
        const std::uint32_t before = count_.fetch_sub(1, std::memory_order_acq_rel);
        KASSERT(before != 0);
        if (before == 1) {
            // SAFETY: objects are never created const (make_ref), and nobody else can reach this one any more.
            const_cast<RefCounted*>(this)->last_reference_dropped();
        }
    }

    // A snapshot, for decisions that stay correct when it is stale, and for diagnosis.
    std::uint32_t reference_count() const { return count_.load(std::memory_order_relaxed); }

    // Called by the deleting destructor with the size and alignment of the complete object, whatever its base.
    static void operator delete(void* block, std::size_t bytes, std::align_val_t align) {
        heap_free(block, bytes, static_cast<std::size_t>(align));
    }

protected:
    RefCounted() = default;
    virtual ~RefCounted() = default;

    // Runs once, when the count has reached 0, in the context that dropped the last reference: with whatever locks that
    // holds. An override may unlink the object from a table first, or keep its memory.
    virtual void last_reference_dropped() { delete this; }

private:
    static constexpr std::uint32_t kLimit = 0x8000'0000;
    mutable std::atomic<std::uint32_t> count_ = 1;
};

// Holds one reference, or nothing.
template <class T>
class [[nodiscard]] RefPtr {
public:
    constexpr RefPtr() = default;
    constexpr RefPtr(std::nullptr_t) {}
    // Takes a further reference.
    RefPtr(T& object) : object_(&object) { object.add_reference(); }
    explicit RefPtr(T* object) : object_(object) { add(); }
    RefPtr(const RefPtr& other) : object_(other.object_) { add(); }
    RefPtr(RefPtr&& other) noexcept : object_(other.release()) {}
    template <class U>
        requires(std::is_convertible_v<U*, T*> && !std::is_same_v<U, T>)
    RefPtr(const RefPtr<U>& other) : object_(other.get()) {
        add();
    }
    template <class U>
        requires(std::is_convertible_v<U*, T*> && !std::is_same_v<U, T>)
    RefPtr(RefPtr<U>&& other) noexcept : object_(other.release()) {}

    ~RefPtr() { reset(); }

    // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): the copy comes first, so itself is as good as any other.
    RefPtr& operator=(const RefPtr& other) {
        RefPtr(other).swap(*this);
        return *this;
    }
    RefPtr& operator=(RefPtr&& other) noexcept {
        RefPtr(std::move(other)).swap(*this);
        return *this;
    }

    // Takes over a reference that the caller already owns.
    static RefPtr adopt(T& object) {
        RefPtr result;
        result.object_ = &object;
        return result;
    }

    // Gives the reference to the caller, who must drop it or adopt() it again.
    [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }

    void reset() {
        if (T* object = std::exchange(object_, nullptr); object != nullptr) {
            object->drop_reference();
        }
    }
    void swap(RefPtr& other) noexcept { std::swap(object_, other.object_); }

    T* get() const { return object_; }
    T& operator*() const {
        KASSERT(object_ != nullptr);
        return *object_;
    }
    T* operator->() const {
        KASSERT(object_ != nullptr);
        return object_;
    }
    explicit operator bool() const { return object_ != nullptr; }

    template <class U>
    bool operator==(const RefPtr<U>& other) const {
        return object_ == other.get();
    }
    bool operator==(const T* other) const { return object_ == other; }
    bool operator==(std::nullptr_t) const { return object_ == nullptr; }

private:
    void add() {
        if (object_ != nullptr) {
            object_->add_reference();
        }
    }

    T* object_ = nullptr;
};

// The caller knows that the object is a U.
template <class U, class T>
RefPtr<U> static_ref_cast(RefPtr<T> pointer) {
    T* object = pointer.release();
    return object == nullptr ? RefPtr<U>() : RefPtr<U>::adopt(*static_cast<U*>(object));
}

// Error::NoMemory only.
template <class T, class... Args>
Result<RefPtr<T>> make_ref(Args&&... args) {
    static_assert(std::is_base_of_v<RefCounted, T>);
    void* storage = TRY(heap_allocate(sizeof(T), alignof(T)));
    return RefPtr<T>::adopt(*ObjectMaker::construct<T>(storage, std::forward<Args>(args)...));
}

}  // namespace kernel
