// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "lib/ref.h"

namespace kernel::object {

enum class ObjectType : std::uint8_t {
    Process,
    Thread,
    Job,
    AddressSpace,
    MemoryObject,
    File,
    Directory,
    Socket,
    Event,
    Channel,
    Timer,
    Interrupt,
    DeviceResource,
    Namespace,
    Other,
};

class HandleTable;

// What a handle can refer to. Lives as long as somebody holds a reference.
class Object : public RefCounted {
public:
    virtual ObjectType type() const = 0;
    // A handle on this object has gone from the table: closed, replaced, or together with the table. Called without
    // locks. The table is only an identity: it may be on its way out.
    virtual void handle_closed(const HandleTable&) {}
};

}  // namespace kernel::object
