// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>

#include "lib/assert.h"
#include "lib/member.h"
#include "lib/types.h"

namespace kernel {

// A place in an IntrusiveList. Must be unlinked before it is destroyed.
class ListNode : NonCopyable {
public:
    ListNode() = default;
    ~ListNode() { KASSERT(!is_linked()); }

    bool is_linked() const { return next_ != nullptr; }

private:
    template <class T, auto Member>
    friend class IntrusiveList;

    void link_before(ListNode& position) {
        KASSERT(!is_linked());
        next_ = &position;
        previous_ = position.previous_;
        previous_->next_ = this;
        position.previous_ = this;
    }
    void unlink() {
        KASSERT(is_linked());
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = nullptr;
        next_ = nullptr;
    }

    ListNode* previous_ = nullptr;
    ListNode* next_ = nullptr;
};

// Doubly linked list through a ListNode member of T: IntrusiveList<Thread, &Thread::run_node>. It never allocates and
// does not own its elements. Must be empty when destroyed.
template <class T, auto Member>
class IntrusiveList : NonCopyable {
public:
    template <class Element>
    class BasicIterator {
    public:
        using difference_type = std::ptrdiff_t;
        using value_type = T;

        BasicIterator() = default;
        Element& operator*() const { return *owner_of_member<T, Member>(node_); }
        Element* operator->() const { return &**this; }
        BasicIterator& operator++() {
            node_ = node_->next_;
            return *this;
        }
        BasicIterator operator++(int) {
            BasicIterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const BasicIterator&) const = default;

    private:
        friend IntrusiveList;
        explicit BasicIterator(ListNode* node) : node_(node) {}
        ListNode* node_ = nullptr;
    };
    using Iterator = BasicIterator<T>;
    using ConstIterator = BasicIterator<const T>;

    IntrusiveList() { reset(); }
    ~IntrusiveList() {
        KASSERT(empty());
        head_.next_ = nullptr;
        head_.previous_ = nullptr;
    }

    bool empty() const { return head_.next_ == &head_; }
    // Linear.
    std::size_t count() const {
        std::size_t elements = 0;
        for (const ListNode* node = head_.next_; node != &head_; node = node->next_) {
            ++elements;
        }
        return elements;
    }

    void push_front(T& element) { node_of(element).link_before(*head_.next_); }
    void push_back(T& element) { node_of(element).link_before(head_); }
    void insert_before(T& position, T& element) { node_of(element).link_before(node_of(position)); }
    void insert_after(T& position, T& element) { node_of(element).link_before(*node_of(position).next_); }

    // The element is in this list.
    void remove(T& element) { node_of(element).unlink(); }
    static bool is_linked(const T& element) { return (element.*Member).is_linked(); }

    // Null at an end or when empty.
    T* front() const { return element_or_null(head_.next_); }
    T* back() const { return element_or_null(head_.previous_); }
    T* next(T& element) const { return element_or_null(node_of(element).next_); }
    T* previous(T& element) const { return element_or_null(node_of(element).previous_); }

    T* pop_front() { return pop(front()); }
    T* pop_back() { return pop(back()); }

    // Moves all elements of `other` behind the own ones, in constant time.
    void splice_back(IntrusiveList& other) {
        if (other.empty()) {
            return;
        }
        ListNode* const first = other.head_.next_;
        ListNode* const last = other.head_.previous_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
        other.reset();
    }

    // Unlinks every element and hands it to f, which may destroy it.
    template <class F>
    void drain(F&& f) {
        while (T* element = pop_front()) {
            f(*element);
        }
    }
    // Unlinks every element for which predicate(element) is true and hands it to f.
    template <class Predicate, class F>
    void remove_if(Predicate&& predicate, F&& f) {
        for (T* element = front(); element != nullptr;) {
            T* const following = next(*element);
            if (predicate(*element)) {
                remove(*element);
                f(*element);
            }
            element = following;
        }
    }

    // The element under an iterator may be removed only after the iterator has moved on.
    Iterator begin() { return Iterator(head_.next_); }
    Iterator end() { return Iterator(&head_); }
    ConstIterator begin() const { return ConstIterator(head_.next_); }
    ConstIterator end() const { return ConstIterator(&head_); }

private:
    static ListNode& node_of(T& element) { return element.*Member; }
    void reset() {
        head_.next_ = &head_;
        head_.previous_ = &head_;
    }
    T* element_or_null(ListNode* node) const { return node == &head_ ? nullptr : owner_of_member<T, Member>(node); }
    T* pop(T* element) {
        if (element != nullptr) {
            remove(*element);
        }
        return element;
    }

    // mutable: a const list still hands out the mutable elements that it does not own.
    mutable ListNode head_;
};

}  // namespace kernel
