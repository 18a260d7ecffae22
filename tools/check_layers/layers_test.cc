// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/layers.h"

#include <gtest/gtest.h>

namespace check_layers {
namespace {

TEST(Layers, KnowsModules) {
    EXPECT_EQ(module_of("lib/result.h"), "lib");
    EXPECT_EQ(module_of("lib/freestanding/memory.cc"), "lib");
    EXPECT_EQ(module_of("core/mm/frame.cc"), "core/mm");
    EXPECT_EQ(module_of("services/vfs/fs/tmpfs.cc"), "services/vfs");
    EXPECT_EQ(module_of("platform/include/platform/cpu.h"), "platform/include");
    EXPECT_EQ(module_of("platform/hosted/stub/stub.S"), "platform/hosted");
    EXPECT_EQ(module_of("core/loose.h"), std::nullopt);
    EXPECT_EQ(module_of("core/novel/a.h"), std::nullopt);
    EXPECT_EQ(module_of("platform/loose.h"), std::nullopt);
    EXPECT_EQ(module_of("library/a.h"), std::nullopt);
}

TEST(Layers, KnowsIncludes) {
    EXPECT_EQ(module_of_include("platform/page_map.h"), "platform/include");
    EXPECT_EQ(module_of_include("platform/hosted/transport.h"), "platform/hosted");
    EXPECT_EQ(module_of_include("result.h"), std::nullopt);
}

TEST(Layers, ArrowsPointDown) {
    EXPECT_TRUE(may_include("main", "services/linux"));
    EXPECT_TRUE(may_include("services/linux", "core/syscall"));
    EXPECT_TRUE(may_include("core/mm", "platform/include"));
    EXPECT_TRUE(may_include("core/mm", "abi"));
    EXPECT_TRUE(may_include("lib", "abi"));
    EXPECT_FALSE(may_include("abi", "lib"));
    EXPECT_FALSE(may_include("lib", "platform/include"));
    EXPECT_FALSE(may_include("core/mm", "services/vfs"));
    EXPECT_FALSE(may_include("services/linux", "main"));
}

TEST(Layers, OrderInsideCore) {
    EXPECT_TRUE(may_include("core/syscall", "core/ipc"));
    EXPECT_TRUE(may_include("core/sched", "core/object"));
    EXPECT_TRUE(may_include("core/mm", "core/mm"));
    EXPECT_FALSE(may_include("core/mm", "core/sched"));
    EXPECT_FALSE(may_include("core/object", "core/mm"));
}

TEST(Layers, OrderInsideServices) {
    EXPECT_TRUE(may_include("services/linux", "services/net"));
    EXPECT_TRUE(may_include("services/net", "services/security"));
    EXPECT_FALSE(may_include("services/net", "services/vfs"));
    EXPECT_FALSE(may_include("services/vfs", "services/linux"));
    EXPECT_FALSE(may_include("services/drivers", "services/security"));
}

TEST(Layers, PlatformsStandAside) {
    EXPECT_TRUE(may_include("platform/hosted", "platform/include"));
    EXPECT_TRUE(may_include("platform/hosted", "lib"));
    EXPECT_TRUE(may_include("platform/include", "abi"));
    EXPECT_FALSE(may_include("platform/hosted", "core/mm"));
    EXPECT_FALSE(may_include("platform/hosted", "platform/x86_64"));
    EXPECT_FALSE(may_include("platform/include", "platform/hosted"));
    EXPECT_FALSE(may_include("main", "platform/hosted"));
    EXPECT_FALSE(may_include("services/vfs", "platform/hosted"));
}

}  // namespace
}  // namespace check_layers
