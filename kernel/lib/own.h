// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "lib/assert.h"
#include "lib/construct.h"
#include "lib/heap.h"
#include "lib/result.h"

namespace kernel {

// The one owner of a heap object. It remembers how the complete object is disposed of, so an OwnPtr<Base> needs neither
// a virtual destructor nor the definition of Base.
template <class T>
class [[nodiscard]] OwnPtr {
public:
    constexpr OwnPtr() = default;
    constexpr OwnPtr(std::nullptr_t) {}
    OwnPtr(OwnPtr&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), block_(other.block_), dispose_(other.dispose_) {}
    template <class U>
        requires(std::is_convertible_v<U*, T*> && !std::is_same_v<U, T>)
    OwnPtr(OwnPtr<U>&& other) noexcept
        : object_(std::exchange(other.object_, nullptr)), block_(other.block_), dispose_(other.dispose_) {}
    OwnPtr(const OwnPtr&) = delete;
    OwnPtr& operator=(const OwnPtr&) = delete;
    OwnPtr& operator=(OwnPtr&& other) noexcept {
        OwnPtr(std::move(other)).swap(*this);
        return *this;
    }
    ~OwnPtr() { reset(); }

    // Takes over an object that release() gave away, or that was built in heap memory of exactly its size and
    // alignment.
    static OwnPtr adopt(T* object) {
        OwnPtr result;
        result.object_ = object;
        result.block_ = object;
        result.dispose_ = &dispose_complete;
        return result;
    }

    // Gives the object to the caller, for intrusive containers. Only while T is its complete type, else adopt() could
    // not dispose of it.
    [[nodiscard]] T* release() {
        KASSERT(object_ == nullptr || dispose_ == &dispose_complete);
        return std::exchange(object_, nullptr);
    }

    void reset() {
        if (std::exchange(object_, nullptr) != nullptr) {
            dispose_(block_);
        }
    }
    void swap(OwnPtr& other) noexcept {
        std::swap(object_, other.object_);
        std::swap(block_, other.block_);
        std::swap(dispose_, other.dispose_);
    }

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
    bool operator==(std::nullptr_t) const { return object_ == nullptr; }

private:
    template <class U>
    friend class OwnPtr;

    static void dispose_complete(void* block) {
        using Object = std::remove_const_t<T>;
        std::destroy_at(static_cast<Object*>(block));
        heap_free(block, sizeof(T), alignof(T));
    }

    T* object_ = nullptr;
    void* block_ = nullptr;
    void (*dispose_)(void*) = nullptr;
};

// Error::NoMemory only.
template <class T, class... Args>
Result<OwnPtr<T>> make_own(Args&&... args) {
    void* storage = TRY(heap_allocate(sizeof(T), alignof(T)));
    return OwnPtr<T>::adopt(ObjectMaker::construct<T>(storage, std::forward<Args>(args)...));
}

}  // namespace kernel
