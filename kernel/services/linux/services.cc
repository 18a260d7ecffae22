// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/services.h"

#include "services/linux/console.h"
#include "services/linux/pipe_file.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/procfs.h"
#include "services/linux/pty.h"
#include "services/linux/sysfs.h"
#include "services/linux/vdso.h"
#include "services/vfs/device_registry.h"

namespace kernel::linux_abi {

Result<> initialize_services(unsigned max_tasks) {
    RefPtr<SignalActions> actions = TRY(SignalActions::create());
    RefPtr<Process> reaper = TRY(Process::create(process_tree::kReaperPid, {}, std::move(actions), {}));
    TRY(process_tree::initialize(max_tasks, std::move(reaper)));
    TRY(initialize_console());
    TRY(initialize_pseudo_terminals());
    TRY(register_procfs());
    TRY(initialize_vdso());
    TRY(register_sysfs());
    vfs::set_fifo_opener(&open_fifo);
    return {};
}

}  // namespace kernel::linux_abi
