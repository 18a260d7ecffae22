// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/host_node.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>

#include "lib/guarded.h"
#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {

struct HostNodeTable {
    using Recent = IntrusiveList<HostNode, &HostNode::recent_>;
    using Named = IntrusiveList<HostNode, &HostNode::named_>;

    Recent recent;  // least recently used first
    Recent dead;
    bool burying = false;
    std::array<Named, 256> names;  // of writable trees only: elsewhere no name goes away by our doing
    unsigned open = 0;
    unsigned limit = 0;

    static std::size_t bucket_index(const HostNode& parent, std::string_view name) {
        std::uint64_t hash = parent.identity().inode * 0x9e37'79b9'7f4a'7c15;
        for (const char character : name) {
            hash = (hash ^ static_cast<unsigned char>(character)) * 0x100'0000'01b3;
        }
        return (hash >> 32) % 256;
    }
    void add_name(HostNode& node) { names[bucket_index(*node.parent_, node.name_.view())].push_back(node); }
    void remove_name(HostNode& node) {
        if (Named::is_linked(node)) {
            names[bucket_index(*node.parent_, node.name_.view())].remove(node);
        }
    }
    RefPtr<HostNode> take_named(const HostNode& parent, std::string_view name) {
        for (HostNode& node : names[bucket_index(parent, name)]) {
            if (node.parent_.get() == &parent && node.name_.view() == name && node.try_add_reference()) {
                remove_name(node);
                return RefPtr<HostNode>::adopt(node);
            }
        }
        return nullptr;
    }
    // The node's descriptors may be closed from now on, or no longer.
    void update_recent(HostNode& node) {
        const bool closable = node.users_ == 0 && !node.nameless_ && !node.root_ &&
                              (node.descriptor_ >= 0 || node.write_descriptor_ >= 0);
        if (Recent::is_linked(node)) {
            recent.remove(node);
        }
        if (closable) {
            recent.push_back(node);
        }
    }
    void add_user(HostNode& node) {
        ++node.users_;
        update_recent(node);
    }
    void remove_user(HostNode& node) {
        --node.users_;
        update_recent(node);
    }
    int take_one_idle_writer() {
        for (HostNode& node : recent) {
            if (node.write_descriptor_ >= 0) {
                const int descriptor = std::exchange(node.write_descriptor_, -1);
                --open;
                update_recent(node);
                return descriptor;
            }
        }
        return -1;
    }
    // Takes both descriptors away, for the caller to close outside the lock.
    std::array<int, 2> take_descriptors(HostNode& node) {
        const std::array taken{std::exchange(node.descriptor_, -1), std::exchange(node.write_descriptor_, -1)};
        open -= static_cast<unsigned>(std::ranges::count_if(taken, [](int descriptor) { return descriptor >= 0; }));
        return taken;
    }
};

namespace {

SpinGuarded<HostNodeTable, Rank::Platform> table;
std::atomic<bool> writers_open = false;

void close_all(std::span<const int> descriptors) {
    for (const int descriptor : descriptors) {
        if (descriptor >= 0) {
            host_syscall(SYS_close, descriptor);
        }
    }
}

// A fifth of what the process may open: guests need the rest for their threads.
unsigned default_limit() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return 64;
    }
    return static_cast<unsigned>(std::clamp<rlim_t>(files.rlim_cur / 5, 64, 2048));
}

// Closes the least recently used descriptors until no more than `keep` are open, as far as they are not in use.
void close_until(unsigned keep) {
    for (;;) {
        std::array<int, 2> victims{-1, -1};
        table.with([&](HostNodeTable& t) {
            HostNode* node = t.open > keep ? t.recent.front() : nullptr;
            if (node != nullptr) {
                victims = t.take_descriptors(*node);
                t.update_recent(*node);
            }
        });
        if (victims[0] < 0 && victims[1] < 0) {
            return;
        }
        close_all(victims);
    }
}

HostResult open_at(int parent, const char* name, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    HostResult result = -EAGAIN;
    // EAGAIN: a rename or mount went on meanwhile, and the host could not vouch for RESOLVE_BENEATH (openat2(2)).
    for (int attempt = 0; attempt < 1000 && (result == -EAGAIN || result == -EINTR); ++attempt) {
        result = host_syscall(SYS_openat2, parent, name, &how, sizeof how);
    }
    return result;
}

std::uint64_t open_flags(OpenMode mode) {
    switch (mode) {
        case OpenMode::Anchor:
            return O_PATH | O_DIRECTORY;
        // O_NONBLOCK, O_NOCTTY: if the name has come to mean a FIFO or a device, neither wait nor take it.
        case OpenMode::Read:
            return O_RDONLY | O_NONBLOCK | O_NOCTTY;
        case OpenMode::Write:
            return O_RDWR | O_NONBLOCK | O_NOCTTY;
    }
    return O_PATH;
}

}  // namespace

HostFileType host_file_type(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFREG:
            return HostFileType::Regular;
        case S_IFDIR:
            return HostFileType::Directory;
        case S_IFLNK:
            return HostFileType::Symlink;
        default:
            return HostFileType::Other;
    }
}

DescriptorUse::DescriptorUse(HostNode& node, int descriptor) : node_(node), descriptor_(descriptor) {}

DescriptorUse::DescriptorUse(DescriptorUse&& other) noexcept
    : node_(std::move(other.node_)), descriptor_(other.descriptor_) {}

DescriptorUse::~DescriptorUse() {
    if (node_.get() != nullptr) {
        table.with([this](HostNodeTable& t) { t.remove_user(*node_); });
    }
}

HostNode::HostNode(RefPtr<HostNode> parent, String name, const struct stat& status, bool writable, bool hidden)
    : identity_{.device = status.st_dev, .inode = status.st_ino},
      type_(host_file_type(status.st_mode)),
      writable_(writable),
      hidden_(hidden),
      root_(parent.get() == nullptr),
      parent_(std::move(parent)),
      name_(std::move(name)) {}

Result<RefPtr<HostNode>> HostNode::create_root(int descriptor, const struct stat& status, bool writable) {
    RefPtr<HostNode> node = TRY(make_ref<HostNode>(nullptr, String(), status, writable, false));
    node->install(node->type_ == HostFileType::Directory ? OpenMode::Anchor
                  : writable                             ? OpenMode::Write
                                                         : OpenMode::Read,
                  descriptor);
    return node;
}

Result<RefPtr<HostNode>> HostNode::create_child(HostNode& parent, std::string_view name, const struct stat& status,
                                                bool hidden) {
    String own_name = TRY(String::create(name));
    RefPtr<HostNode> node =
        TRY(make_ref<HostNode>(RefPtr<HostNode>(parent), std::move(own_name), status, parent.writable_, hidden));
    if (node->writable_) {
        table.with([&](HostNodeTable& t) { t.add_name(*node); });
    }
    return node;
}

HostNode::~HostNode() = default;

// A node keeps its parent alive, so deleting one may delete a long chain of them: one after the other, not nested.
void HostNode::last_reference_dropped() {
    std::array<int, 2> descriptors{};
    const bool bury = table.with([&](HostNodeTable& t) {
        t.remove_name(*this);
        descriptors = t.take_descriptors(*this);
        t.update_recent(*this);
        t.dead.push_back(*this);
        return !std::exchange(t.burying, true);
    });
    close_all(descriptors);
    while (bury) {
        HostNode* node = table.with([](HostNodeTable& t) {
            HostNode* first = t.dead.pop_front();
            t.burying = first != nullptr;
            return first;
        });
        if (node == nullptr) {
            return;
        }
        const RefPtr<HostNode> parent = std::move(node->parent_);
        delete node;
    }
}

// -1 when it has to be opened.
int HostNode::descriptor_for(OpenMode mode) const {
    if (mode == OpenMode::Write || (mode == OpenMode::Read && descriptor_ < 0)) {
        return write_descriptor_;
    }
    return descriptor_;
}

Result<int> HostNode::open_from(int parent_descriptor, const char* name, OpenMode mode) const {
    HostResult result = open_at(parent_descriptor, name, open_flags(mode));
    if (result == -EMFILE || result == -ENFILE) {
        close_until(0);
        result = open_at(parent_descriptor, name, open_flags(mode));
    }
    if (host_failed(result)) {
        const bool changed = result == -ENOENT || result == -ENOTDIR || result == -ELOOP || result == -ENXIO;
        return std::unexpected(changed ? Error::StaleHandle : error_from_host(host_errno(result)));
    }
    const int descriptor = static_cast<int>(result);
    struct stat status{};
    if (fstat(descriptor, &status) != 0 || host_file_type(status.st_mode) != type_ ||
        identity_ != HostIdentity{.device = status.st_dev, .inode = status.st_ino}) {
        host_syscall(SYS_close, descriptor);
        return std::unexpected(Error::StaleHandle);
    }
    return descriptor;
}

// Gives the node a descriptor, or closes it when another CPU was first.
void HostNode::install(OpenMode mode, int descriptor) {
    const bool installed = table.with([&](HostNodeTable& t) {
        int& slot = mode == OpenMode::Write ? write_descriptor_ : descriptor_;
        if (slot >= 0) {
            return false;
        }
        slot = descriptor;
        ++t.open;
        t.update_recent(*this);
        return true;
    });
    if (!installed) {
        host_syscall(SYS_close, descriptor);
        return;
    }
    if (mode == OpenMode::Write) {
        writers_open.store(true, std::memory_order_relaxed);
    }
    const unsigned limit = table.with([](HostNodeTable& t) {
        if (t.limit == 0) {
            t.limit = default_limit();
        }
        return t.limit;
    });
    close_until(limit);
}

void HostNode::adopt_descriptor(OpenMode mode, int descriptor) {
    install(mode, descriptor);
}

// Opens the topmost node on the way from the root to this one that is not open.
Result<> HostNode::open_missing_part(OpenMode mode) {
    RefPtr<HostNode> node;
    RefPtr<HostNode> parent;
    FixedString<kMaxHostName> name;
    table.with([&](HostNodeTable& t) {
        HostNode* at = this;
        while (!at->nameless_ && at->parent_.get() != nullptr && at->parent_->descriptor_ < 0) {
            at = at->parent_.get();
        }
        if (at->nameless_ || at->parent_.get() == nullptr) {
            return;
        }
        node = RefPtr<HostNode>(*at);
        parent = at->parent_;
        name = FixedString<kMaxHostName>::truncated(at->name_.view());
        t.add_user(*parent);
    });
    if (node.get() == nullptr) {
        return std::unexpected(Error::StaleHandle);
    }
    const DescriptorUse parent_use(*parent, parent->descriptor_);
    const OpenMode own_mode = node.get() == this ? mode : OpenMode::Anchor;
    node->install(own_mode, TRY(node->open_from(parent_use.descriptor(), name.c_str(), own_mode)));
    return {};
}

Result<DescriptorUse> HostNode::use(OpenMode mode) {
    if (type_ != (mode == OpenMode::Anchor ? HostFileType::Directory : HostFileType::Regular)) {
        return std::unexpected(Error::NotSupported);
    }
    // Each round opens one level; more are needed only if other CPUs have them closed again meanwhile.
    constexpr unsigned kMaxRounds = 10'000;
    for (unsigned round = 0; round < kMaxRounds; ++round) {
        const int descriptor = table.with([&](HostNodeTable& t) {
            const int found = descriptor_for(mode);
            if (found >= 0) {
                t.add_user(*this);
            }
            return found;
        });
        if (descriptor >= 0) {
            return DescriptorUse(*this, descriptor);
        }
        TRY(open_missing_part(mode));
    }
    return std::unexpected(Error::Busy);
}

std::optional<DescriptorUse> HostNode::use_if_open() {
    const int descriptor = table.with([&](HostNodeTable& t) {
        const int found = std::max(descriptor_, write_descriptor_);
        if (found >= 0) {
            t.add_user(*this);
        }
        return found;
    });
    return descriptor < 0 ? std::nullopt : std::optional<DescriptorUse>(std::in_place, *this, descriptor);
}

Result<HostNode::Place> HostNode::place() {
    FixedString<kMaxHostName> name;
    const RefPtr<HostNode> parent = table.with([&](HostNodeTable&) -> RefPtr<HostNode> {
        if (nameless_) {
            return nullptr;
        }
        name = FixedString<kMaxHostName>::truncated(name_.view());
        return parent_;
    });
    if (parent.get() == nullptr) {
        return std::unexpected(Error::StaleHandle);
    }
    return Place{.parent = TRY(parent->use(OpenMode::Anchor)), .name = name};
}

Result<> HostNode::keep_open_without_name(HostNode& parent, std::string_view name) {
    for (;;) {
        const RefPtr<HostNode> node = table.with([&](HostNodeTable& t) { return t.take_named(parent, name); });
        if (node.get() == nullptr) {
            return {};
        }
        if (node->type_ == HostFileType::Directory) {
            TRY(node->use(OpenMode::Anchor));
        } else if (node->type_ == HostFileType::Regular && !node->use(OpenMode::Write).has_value()) {
            // What cannot be opened at all could not be read before either.
            static_cast<void>(node->use(OpenMode::Read));
        }
        table.with([&](HostNodeTable& t) {
            node->nameless_ = true;
            t.update_recent(*node);
        });
    }
}

Result<> HostNode::renamed(HostNode& old_parent, std::string_view old_name, HostNode& new_parent,
                           std::string_view new_name) {
    for (;;) {
        String name = TRY(String::create(new_name));
        RefPtr<HostNode> parent(new_parent);
        const RefPtr<HostNode> node = table.with([&](HostNodeTable& t) { return t.take_named(old_parent, old_name); });
        if (node.get() == nullptr) {
            return {};
        }
        table.with([&](HostNodeTable& t) {
            node->parent_.swap(parent);
            node->name_.swap(name);
            t.add_name(*node);
        });
    }
}

void close_idle_writers() {
    if (!writers_open.load(std::memory_order_relaxed) || !writers_open.exchange(false)) {
        return;
    }
    for (;;) {
        const int descriptor = table.with([](HostNodeTable& t) { return t.take_one_idle_writer(); });
        if (descriptor < 0) {
            return;
        }
        host_syscall(SYS_close, descriptor);
    }
}

void limit_host_descriptors(unsigned count) {
    table.with([count](HostNodeTable& t) { t.limit = count; });
    close_until(count);
}

unsigned open_host_descriptors() {
    return table.with([](HostNodeTable& t) { return t.open; });
}

}  // namespace kernel::platform::hosted
