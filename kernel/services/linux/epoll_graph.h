// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/result.h"
#include "services/linux/epoll_set.h"

// Which epoll sets watch which others. Wake-ups and looks travel along these edges, so there is no cycle, no path of
// more than kMaxNesting edges, and no set from which more than kMaxPaths paths lead upwards.
namespace kernel::linux_abi::epoll_graph {

inline constexpr unsigned kMaxNesting = 4;  // EP_MAX_NESTS
inline constexpr unsigned kMaxPaths = 500;  // the narrowest useful of Linux's path_limits

// The item's set shall watch the item's nested set. Errors: SymlinkLoop, InvalidArgument (too many paths).
Result<> add_edge(EpollItem& item);
void remove_edge(EpollItem& item);

}  // namespace kernel::linux_abi::epoll_graph
