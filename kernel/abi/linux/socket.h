// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// socket(2), socket(7), unix(7), cmsg(3).
namespace kernel::abi {

enum AddressFamily : std::uint16_t { kAfUnspec = 0, kAfUnix = 1 };
inline constexpr std::int32_t kSockTypeMask = 0xf;
inline constexpr std::int32_t kSockTypeCount = 11;
enum SocketTypes : std::int32_t {
    kSockStream = 1,
    kSockDgram = 2,
    kSockRaw = 3,
    kSockSeqpacket = 5,
    kSockNonblock = 04000,
    kSockCloexec = 02000000,
};

inline constexpr std::uint32_t kFamilyBytes = 2;
inline constexpr std::uint32_t kSunPathBytes = 108;
inline constexpr std::int32_t kSockaddrStorageBytes = 128;
struct SockaddrUn {
    std::uint16_t family;
    char path[kSunPathBytes];
};
static_assert(sizeof(SockaddrUn) == 110);

struct Msghdr {
    std::uint64_t name;
    std::int32_t name_length;
    std::int32_t padding0;
    std::uint64_t vector;
    std::uint64_t vector_length;
    std::uint64_t control;
    std::uint64_t control_length;
    std::uint32_t flags;
    std::int32_t padding1;
};
static_assert(sizeof(Msghdr) == 56);
struct Mmsghdr {
    Msghdr header;
    std::uint32_t length;
    std::uint32_t padding;
};
static_assert(sizeof(Mmsghdr) == 64);

struct Cmsghdr {
    std::uint64_t length;
    std::int32_t level;
    std::int32_t type;
};
static_assert(sizeof(Cmsghdr) == 16);
enum ControlTypes : std::int32_t { kScmRights = 1, kScmCredentials = 2 };
inline constexpr std::size_t kScmMaxFd = 253;

struct Ucred {
    std::int32_t pid;
    std::uint32_t uid;
    std::uint32_t gid;
};

enum MessageFlags : std::uint32_t {
    kMsgOob = 0x1,
    kMsgPeek = 0x2,
    kMsgCtrunc = 0x8,
    kMsgTrunc = 0x20,
    kMsgDontwait = 0x40,
    kMsgWaitall = 0x100,
    kMsgNosignal = 0x4000,
    kMsgWaitforone = 0x10000,
    kMsgCmsgCloexec = 0x40000000,
};

inline constexpr std::int32_t kSolSocket = 1;
enum SocketOption : std::int32_t {
    kSoDebug = 1,
    kSoReuseaddr = 2,
    kSoType = 3,
    kSoError = 4,
    kSoDontroute = 5,
    kSoBroadcast = 6,
    kSoSndbuf = 7,
    kSoRcvbuf = 8,
    kSoKeepalive = 9,
    kSoOobinline = 10,
    kSoPriority = 12,
    kSoLinger = 13,
    kSoPasscred = 16,
    kSoPeercred = 17,
    kSoRcvlowat = 18,
    kSoSndlowat = 19,
    kSoRcvtimeo = 20,
    kSoSndtimeo = 21,
    kSoAcceptconn = 30,
    kSoSndbufforce = 32,
    kSoRcvbufforce = 33,
    kSoProtocol = 38,
    kSoDomain = 39,
};
struct Linger {
    std::int32_t on;
    std::int32_t seconds;
};

inline constexpr std::uint32_t kSiocoutq = 0x5411;
inline constexpr std::uint64_t kMaxVectorLength = 1024;  // UIO_MAXIOV

}  // namespace kernel::abi
