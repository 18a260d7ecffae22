// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/epoll_graph.h"

#include <algorithm>

namespace kernel::linux_abi::epoll_graph {
namespace {

struct Graph {};
constinit SpinGuarded<Graph, Rank::EpollGraph> graph;

// The recursions end because paths are short.

unsigned height_above(const EpollSet& set) {
    unsigned height = 0;
    for (const EpollItem& edge : set.parents) {
        height = std::max(height, 1 + height_above(edge.set()));
    }
    return height;
}

unsigned depth_below(const EpollSet& set) {
    unsigned depth = 0;
    for (const EpollItem& edge : set.children) {
        depth = std::max(depth, 1 + depth_below(*edge.nested_set()));
    }
    return depth;
}

bool leads_to(const EpollSet& from, const EpollSet& to) {
    return &from == &to ||
           std::ranges::any_of(from.children, [&](const EpollItem& edge) { return leads_to(*edge.nested_set(), to); });
}

unsigned paths_above(const EpollSet& set) {
    unsigned paths = 0;
    for (const EpollItem& edge : set.parents) {
        paths += std::max(1u, paths_above(edge.set()));
        if (paths > kMaxPaths) {
            break;
        }
    }
    return paths;
}

bool has_too_many_paths(const EpollSet& set) {
    return paths_above(set) > kMaxPaths || std::ranges::any_of(set.children, [](const EpollItem& edge) {
               return has_too_many_paths(*edge.nested_set());
           });
}

void unlink(EpollItem& item) {
    item.set().children.remove(item);
    item.nested_set()->parents.remove(item);
}

}  // namespace

Result<> add_edge(EpollItem& item) {
    return graph.with([&](Graph&) -> Result<> {
        EpollSet& parent = item.set();
        EpollSet& child = *item.nested_set();
        if (leads_to(child, parent) || height_above(parent) + 1 + depth_below(child) > kMaxNesting) {
            return Error::SymlinkLoop;
        }
        parent.children.push_back(item);
        child.parents.push_back(item);
        if (has_too_many_paths(child)) {
            unlink(item);
            return Error::InvalidArgument;
        }
        return {};
    });
}

void remove_edge(EpollItem& item) {
    graph.with([&](Graph&) { unlink(item); });
}

}  // namespace kernel::linux_abi::epoll_graph
