// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/tmpfs/tmpfs.h"

#include <optional>

#include "core/mm/frame_allocator.h"
#include "services/vfs/fs/tmpfs/node.h"

namespace kernel::vfs::tmpfs {

Result<RefPtr<Budget>> Budget::create(std::uint64_t limit_bytes) {
    RefPtr<mm::PageBudget> pages = TRY(mm::PageBudget::create(limit_bytes >> kPageShift));
    return make_ref<Budget>(std::move(pages));
}

// The counter's steps follow each other without gaps, so the pages charged for them add up to those of the sum.
bool Budget::charge_bytes(std::uint64_t bytes) {
    const std::uint64_t before = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    const std::uint64_t pages = pages_for_bytes(before + bytes) - pages_for_bytes(before);
    if (pages == 0 || pages_->charge(pages)) {
        return true;
    }
    const std::uint64_t with = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    // Others may have counted on these pages meanwhile; give back what is not ours.
    const std::uint64_t freed = pages_for_bytes(with) - pages_for_bytes(with - bytes);
    if (freed > pages) {
        pages_->release(freed - pages);
    }
    return false;
}

void Budget::release_bytes(std::uint64_t bytes) {
    const std::uint64_t before = bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (const std::uint64_t pages = pages_for_bytes(before) - pages_for_bytes(before - bytes); pages != 0) {
        pages_->release(pages);
    }
}

Result<RefPtr<TmpFs>> TmpFs::create(const Options& options) {
    RefPtr<TmpFs> filesystem = TRY(make_ref<TmpFs>(options.budget, options.type_name, options.magic));
    filesystem->root_ = TRY(Node::create(*filesystem, NewInode{.type = options.root_type,
                                                               .permissions = options.permissions,
                                                               .user = options.user,
                                                               .group = options.group}));
    filesystem->root_->add_links(1);
    return filesystem;
}

Result<FileSystemStatus> TmpFs::status() {
    const mm::PageBudget& pages = *budget_->pages();
    const std::uint64_t limit = pages.limit_pages();
    const std::uint64_t used = pages.used_pages();
    const std::uint64_t free = used < limit ? limit - used : 0;
    constexpr std::uint64_t kNodesPerPage = 8;
    return FileSystemStatus{.magic = magic_,
                            .block_bytes = kPageSize,
                            .blocks = limit,
                            .free_blocks = free,
                            .available_blocks = free,
                            .files = limit * kNodesPerPage,
                            .free_files = free * kNodesPerPage,
                            .id = device().minor};
}

Result<RefPtr<FileSystem>> create(const Options& options) {
    return TRY(TmpFs::create(options));
}

namespace {

std::uint64_t memory_bytes() {
    return mm::frame_statistics(platform::FrameZone::User).total << kPageShift;
}

std::optional<std::uint64_t> parse_number(std::string_view& text, unsigned base) {
    std::uint64_t value = 0;
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] < static_cast<char>('0' + base)) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, static_cast<unsigned>(text[digits] - '0'), &value)) {
            return std::nullopt;
        }
        ++digits;
    }
    text.remove_prefix(digits);
    return digits == 0 ? std::nullopt : std::optional(value);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    const auto number = parse_number(text, 10);
    if (!number || text.size() > 1) {
        return std::nullopt;
    }
    switch (text.empty() ? '\0' : text[0]) {
        case '\0':
            return number;
        case 'k':
        case 'K':
            return checked_multiply(*number, std::uint64_t{1} << 10);
        case 'm':
        case 'M':
            return checked_multiply(*number, std::uint64_t{1} << 20);
        case 'g':
        case 'G':
            return checked_multiply(*number, std::uint64_t{1} << 30);
        case '%':
            return *number > 100 ? std::nullopt : std::optional(memory_bytes() / 100 * *number);
        default:
            return std::nullopt;
    }
}

struct Parsed {
    std::uint64_t size_bytes = 0;  // 0: the default
    Options options;
};

Result<> parse_option(std::string_view option, Parsed& parsed) {
    const std::size_t equals = option.find('=');
    const std::string_view key = option.substr(0, equals);
    std::string_view value = equals == option.npos ? std::string_view() : option.substr(equals + 1);
    if (key == "size") {
        const auto bytes = parse_size(value);
        if (!bytes) {
            return Error::InvalidArgument;
        }
        parsed.size_bytes = *bytes;
        return {};
    }
    const auto number = parse_number(value, key == "mode" ? 8 : 10);
    if (!number || !value.empty() || *number > UINT32_MAX) {
        return Error::InvalidArgument;
    }
    if (key == "mode") {
        parsed.options.permissions = static_cast<std::uint32_t>(*number) & kPermissionMask;
    } else if (key == "uid") {
        parsed.options.user = static_cast<std::uint32_t>(*number);
    } else if (key == "gid") {
        parsed.options.group = static_cast<std::uint32_t>(*number);
    } else if (key != "nr_inodes" && key != "nr_blocks") {
        return Error::InvalidArgument;
    }
    return {};
}

}  // namespace

Result<RefPtr<FileSystem>> create_for_mount(const MountRequest& request) {
    Parsed parsed;
    std::string_view rest = request.options;
    while (!rest.empty()) {
        const std::string_view option = rest.substr(0, rest.find(','));
        rest.remove_prefix(option.size() == rest.size() ? option.size() : option.size() + 1);
        if (!option.empty()) {
            TRY(parse_option(option, parsed));
        }
    }
    parsed.options.budget = TRY(Budget::create(parsed.size_bytes == 0 ? memory_bytes() / 2 : parsed.size_bytes));
    return create(parsed.options);
}

}  // namespace kernel::vfs::tmpfs
