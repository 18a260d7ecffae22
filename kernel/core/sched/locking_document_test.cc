// SPDX-License-Identifier: MIT OR Apache-2.0
// docs/locking.md lists the ranks in order: a lock is not added without being described.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lib/lock_rank.h"

namespace kernel {
namespace {

std::vector<std::string> documented_ranks() {
    const std::filesystem::path root =
        std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
    std::ifstream file(root / "docs" / "locking.md");
    std::vector<std::string> ranks;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("| `")) {
            const std::string name = line.substr(3, line.find('`', 3) - 3);
            if (!name.contains('<') && name != "SpinFlag") {
                ranks.push_back(name);
            }
        }
    }
    return ranks;
}

TEST(LockingDocument, HasEveryRankInOrder) {
#define KPIO_NAME(name) #name,
    const std::vector<std::string> ranks = {KPIO_LOCK_RANKS(KPIO_NAME)};
#undef KPIO_NAME
    EXPECT_EQ(documented_ranks(), ranks);
}

}  // namespace
}  // namespace kernel
