// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/host_files.h"

namespace kernel::platform {

Result<OwnPtr<HostFile>> open_host_root(std::string_view, bool) {
    return Error::NotSupported;
}

}  // namespace kernel::platform
