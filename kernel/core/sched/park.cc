// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/park.h"

#include <algorithm>
#include <array>

#include "core/sched/cpu.h"
#include "core/sched/scheduler.h"
#include "lib/lock_context.h"

// Sleeping locks on the scheduler, with priority inheritance: the owner of a lock is at least as urgent as any thread
// that waits for it. A list remembers whom it has made more urgent (its donee); that ends when the donee unlocks, which
// is when it calls an unpark function. An owner that holds several such locks keeps the greatest urgency until it has
// released all of them: longer than needed at times, never shorter.
namespace kernel {
namespace {

using sched::Scheduler;
using sched::Thread;
using sched::Urgency;

Thread* owner_of(const WaitList& list) {
    const LockContext* const context = list.owner();
    return context == nullptr ? nullptr : static_cast<Thread*>(context->thread);
}

Thread& thread_of(const ParkedThread& parked) {
    return *static_cast<Thread*>(parked.thread);
}

// All of these with the list's flag held. An owner cannot finish unlocking without the flag, so it exists.

void donate_locked(WaitList& list, Thread& owner, const Urgency& urgency) {
    auto* const donee = static_cast<Thread*>(list.donee());
    const bool is_new = donee != &owner;
    if (is_new && donee != nullptr) {
        Scheduler::end_donation(*donee);  // it is unlocking, and has not come to the flag yet
    }
    list.set_donee(&owner);
    Scheduler::donate(owner, urgency, is_new);
}

void end_own_donation_locked(WaitList& list) {
    Thread& self = Thread::current();
    if (list.donee() == &self) {
        list.set_donee(nullptr);
        Scheduler::end_donation(self);
    }
}

void donate_to_owner_locked(WaitList& list, ParkedThread& parked) {
    const Urgency urgency = Scheduler::urgency(thread_of(parked));
    parked.priority = urgency.real_time_priority;
    if (Thread* const owner = owner_of(list); owner != nullptr && owner != &thread_of(parked)) {
        donate_locked(list, *owner, urgency);
    }
}

// A thread that got the lock while others wait for it inherits from them.
void inherit_from_waiters_locked(WaitList& list, Thread& self) {
    if (list.threads().empty() || owner_of(list) != &self) {
        return;
    }
    Urgency greatest;
    for (const ParkedThread& parked : list.threads()) {
        greatest = std::max(greatest, Scheduler::urgency(thread_of(parked)));
    }
    donate_locked(list, self, greatest);
}

ParkedThread* take_most_urgent_locked(WaitList& list) {
    ParkedThread* best = nullptr;
    for (ParkedThread& parked : list.threads()) {
        if (best == nullptr || parked.priority > best->priority) {
            best = &parked;
        }
    }
    if (best != nullptr) {
        list.threads().remove(*best);
    }
    return best;
}

}  // namespace

void park_current(WaitList& list, ParkPredicate should_park) {
    Thread& self = Thread::current();
    ParkedThread parked;
    parked.context = &self.lock_context();
    parked.thread = &self;
    list.flag().lock();
    if (should_park()) {
        list.threads().push_back(parked);
        while (parked.node.is_linked()) {
            // Again after each early return of park(): somebody may have made this thread more urgent meanwhile.
            donate_to_owner_locked(list, parked);
            list.flag().unlock();
            sched::park();
            list.flag().lock();
        }
    } else {
        inherit_from_waiters_locked(list, self);
    }
    list.flag().unlock();
}

bool unpark_one(WaitList& list) {
    const sched::WakeBatch batch;
    list.flag().lock();
    end_own_donation_locked(list);
    ParkedThread* const parked = take_most_urgent_locked(list);
    if (parked != nullptr) {
        // With the flag held, else the thread could see that it is off the list, and end, before this call.
        thread_of(*parked).unpark();
    }
    list.flag().unlock();
    return parked != nullptr;
}

std::size_t unpark_all(WaitList& list) {
    const sched::WakeBatch batch;
    std::size_t count = 0;
    list.flag().lock();
    end_own_donation_locked(list);
    while (ParkedThread* const parked = take_most_urgent_locked(list)) {
        thread_of(*parked).unpark();
        ++count;
    }
    list.flag().unlock();
    return count;
}

LockContext& current_lock_context() {
    // Boot code of a CPU takes locks before threads exist.
    static constinit std::array<LockContext, platform::kMaxCpus> boot_contexts;
    platform::CpuLocal& cpu = platform::this_cpu();
    if (cpu.current_thread != nullptr) {
        return static_cast<Thread*>(cpu.current_thread)->lock_context();
    }
    return boot_contexts[cpu.index];
}

namespace sched {

Urgency Scheduler::urgency(Thread& thread) {
    return with_queue_of(thread, [&](RunQueue&, Cpu&) { return thread.entity_.effective; });
}

void Scheduler::donate(Thread& thread, const Urgency& urgency, bool new_donor) {
    const Urgency before = Scheduler::urgency(thread);
    update(thread, [&](SchedEntity& entity) {
        entity.donors += new_donor ? 1 : 0;
        entity.inherited = std::max(entity.inherited, urgency);
    });
    if (urgency > before) {
        // If it waits for a lock itself, it hands its new urgency on to that lock's owner.
        thread.unpark();
    }
}

void Scheduler::end_donation(Thread& thread) {
    update(thread, [](SchedEntity& entity) {
        if (--entity.donors == 0) {
            entity.inherited = Urgency{};
        }
    });
}

}  // namespace sched
}  // namespace kernel
