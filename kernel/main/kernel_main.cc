// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/frame_allocator.h"
#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "lib/log.h"
#include "main/first_program.h"
#include "main/shutdown.h"
#include "platform/entry.h"
#include "platform/power.h"

namespace kernel {
namespace {

// Everything that may block happens in a thread.
void boot_thread(void*) {
    main::run_first_program();
}

Result<> start_core() {
    TRY(mm::initialize_frames());
    TRY(sched::initialize());
    const RefPtr<sched::Thread> thread = TRY(sched::Thread::create("boot", &boot_thread, nullptr));
    thread->start();
    return sched::start();
}

}  // namespace

[[noreturn]] void kernel_main() {
    if (const Result<> started = start_core(); !started) {
        log_error("the kernel cannot start: {}", error_text(started.error()));
        platform::power_off(main::kStatusKernelError);
    }
    sched::run_cpu(0);
}

}  // namespace kernel
