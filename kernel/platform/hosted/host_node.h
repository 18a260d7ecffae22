// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <sys/stat.h>
#include <optional>

#include "lib/list.h"
#include "lib/ref.h"
#include "lib/string.h"
#include "platform/host_files.h"

namespace kernel::platform::hosted {

// Which object of the host a node stands for: a name may come to mean another one at any time.
struct HostIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const HostIdentity&) const = default;
};

inline constexpr std::size_t kMaxHostName = 255;  // NAME_MAX of Linux

// How a descriptor is open.
enum class OpenMode : std::uint8_t {
    Anchor,  // directories: O_PATH, to look names up in
    Read,    // regular files
    Write,   // regular files, for reading too
};

class HostNode;

// Keeps a node's descriptor open while in scope.
class DescriptorUse : NonCopyable {
public:
    DescriptorUse(HostNode& node, int descriptor);  // takes over one count of the node's users
    DescriptorUse(DescriptorUse&& other) noexcept;
    ~DescriptorUse();
    int descriptor() const { return descriptor_; }

private:
    RefPtr<HostNode> node_;
    int descriptor_;
};

// A place in a host directory tree: parent, name and the identity that was found there. The descriptor is opened when
// needed, from the parent's, and may be closed whenever nobody uses it. A descriptor is trusted only if it has the
// node's identity.
//
// Lock order: one spinlock (Rank::Platform) over all that is mutable here, never held over a system call.
class HostNode final : public RefCounted {
public:
    static Result<RefPtr<HostNode>> create_root(int descriptor, const struct stat& status, bool writable);
    static Result<RefPtr<HostNode>> create_child(HostNode& parent, std::string_view name, const struct stat& status,
                                                 bool hidden);
    ~HostNode() override;

    HostFileType type() const { return type_; }
    HostIdentity identity() const { return identity_; }
    bool writable() const { return writable_; }
    // A directory whose contents guests never see; it looks empty.
    bool hidden() const { return hidden_; }
    bool is_root() const { return root_; }

    // Opens what is needed for the mode. Errors: StaleHandle when the name now means something else, NotSupported for
    // what is never opened, those of openat2(2).
    Result<DescriptorUse> use(OpenMode mode);
    // Of a descriptor that is open anyway; nothing is opened.
    std::optional<DescriptorUse> use_if_open();

    // The parent's descriptor and the name in it, for calls that take both. StaleHandle for what has no name any more;
    // not for the root.
    struct Place {
        DescriptorUse parent;
        FixedString<kMaxHostName> name;
    };
    Result<Place> place();

    // A file that was just created keeps the descriptor it was created with.
    void adopt_descriptor(OpenMode mode, int descriptor);

    // Before the name goes away (unlink, replaced by a rename): nodes of it that are alive get descriptors that stay
    // open, because they cannot be found again.
    static Result<> keep_open_without_name(HostNode& parent, std::string_view name);
    // After a rename on the host.
    static Result<> renamed(HostNode& old_parent, std::string_view old_name, HostNode& new_parent,
                            std::string_view new_name);

private:
    friend class DescriptorUse;
    friend class kernel::ObjectMaker;
    friend struct HostNodeTable;
    HostNode(RefPtr<HostNode> parent, String name, const struct stat& status, bool writable, bool hidden);
    void last_reference_dropped() override;

    int descriptor_for(OpenMode mode) const;
    Result<int> open_from(int parent_descriptor, const char* name, OpenMode mode) const;
    Result<> open_missing_part(OpenMode mode);
    void install(OpenMode mode, int descriptor);

    const HostIdentity identity_;
    const HostFileType type_;
    const bool writable_;
    const bool hidden_;
    const bool root_;

    // Under the table's lock:
    RefPtr<HostNode> parent_;
    String name_;
    int descriptor_ = -1;        // Anchor or Read
    int write_descriptor_ = -1;  // Write
    unsigned users_ = 0;
    bool nameless_ = false;

public:
    ListNode recent_;  // in the list of nodes whose descriptors may be closed, or of those that are to be deleted
    ListNode named_;   // in the table of names
};

HostFileType host_file_type(mode_t mode);

// Closes descriptors that are open for writing and that nobody uses: while one is open, the host refuses to run the
// file. Called when the CPU becomes idle; costs nothing when there is none.
void close_idle_writers();

// How many descriptors host files may hold open; for tests.
void limit_host_descriptors(unsigned count);
unsigned open_host_descriptors();

}  // namespace kernel::platform::hosted
