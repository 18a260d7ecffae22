// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/process.h"

#include <algorithm>
#include <utility>

#include "platform/clock.h"

namespace kernel::linux_abi {

void CpuUsage::add(const CpuUsage& other) {
    user_ns += other.user_ns;
    system_ns += other.system_ns;
    minor_faults += other.minor_faults;
    voluntary_switches += other.voluntary_switches;
    involuntary_switches += other.involuntary_switches;
    max_resident_bytes = std::max(max_resident_bytes, other.max_resident_bytes);
}

Process::Process(int pid, RefPtr<mm::AddressSpace> space, RefPtr<SignalActions> actions, const Limits& limits,
                 RefPtr<SignalEvent> signal_event)
    : pid_(pid), start_ns_(platform::monotonic_ns()), signal_event_(std::move(signal_event)), timers_(*this) {
    Shared& shared = shared_.unguarded();
    shared.space = std::move(space);
    shared.actions = std::move(actions);
    shared.limits = limits;
}

Process::~Process() = default;

Result<RefPtr<Process>> Process::create(int pid, RefPtr<mm::AddressSpace> space, RefPtr<SignalActions> actions,
                                        const Limits& limits) {
    return make_ref<Process>(pid, std::move(space), std::move(actions), limits, TRY(make_ref<SignalEvent>()));
}

RefPtr<mm::AddressSpace> Process::space() const {
    return shared_.with([](const Shared& shared) { return shared.space; });
}

RefPtr<mm::AddressSpace> Process::exchange_space(RefPtr<mm::AddressSpace> space) {
    shared_.with([&](Shared& shared) { shared.space.swap(space); });
    return space;
}

RefPtr<SignalActions> Process::actions() const {
    return shared_.with([](const Shared& shared) { return shared.actions; });
}

void Process::set_actions(RefPtr<SignalActions> actions) {
    shared_.with([&](Shared& shared) { shared.actions.swap(actions); });
}

abi::Rlimit Process::limit(unsigned resource) const {
    return shared_.with([&](const Shared& shared) { return shared.limits[resource]; });
}

Process::Limits Process::limits() const {
    return shared_.with([](const Shared& shared) { return shared.limits; });
}

void Process::set_limit(unsigned resource, const abi::Rlimit& limit) {
    shared_.with([&](Shared& shared) { shared.limits[resource] = limit; });
}

Process::Program Process::program() const {
    return shared_.with([](const Shared& shared) { return shared.program; });
}

void Process::set_program(Program program) {
    shared_.with([&](Shared& shared) { std::swap(shared.program, program); });
}

}  // namespace kernel::linux_abi
