// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

// Every error the kernel can report, one for each meaning in errno(3). The numbers that programs see are not here: the
// personality that speaks to a program translates. X(Name, "text").
#define KPIO_ERRORS(X)                                                                         \
    X(NotPermitted, "Operation not permitted")                                                 \
    X(NotFound, "No such file or directory")                                                   \
    X(NoSuchProcess, "No such process")                                                        \
    X(Interrupted, "Interrupted system call")                                                  \
    X(Io, "Input/output error")                                                                \
    X(NoDevice, "No such device or address")                                                   \
    X(ArgumentListTooLong, "Argument list too long")                                           \
    X(NotExecutable, "Exec format error")                                                      \
    X(BadHandle, "Bad file descriptor")                                                        \
    X(NoChild, "No child processes")                                                           \
    X(WouldBlock, "Resource temporarily unavailable")                                          \
    X(NoMemory, "Cannot allocate memory")                                                      \
    X(AccessDenied, "Permission denied")                                                       \
    X(BadAddress, "Bad address")                                                               \
    X(NotBlockDevice, "Block device required")                                                 \
    X(Busy, "Device or resource busy")                                                         \
    X(Exists, "File exists")                                                                   \
    X(CrossDevice, "Invalid cross-device link")                                                \
    X(NotSupportedByDevice, "No such device")                                                  \
    X(NotDirectory, "Not a directory")                                                         \
    X(IsDirectory, "Is a directory")                                                           \
    X(InvalidArgument, "Invalid argument")                                                     \
    X(FileTableFull, "Too many open files in system")                                          \
    X(TooManyHandles, "Too many open files")                                                   \
    X(NotTerminal, "Inappropriate ioctl for device")                                           \
    X(TextBusy, "Text file busy")                                                              \
    X(FileTooLarge, "File too large")                                                          \
    X(NoSpace, "No space left on device")                                                      \
    X(IllegalSeek, "Illegal seek")                                                             \
    X(ReadOnly, "Read-only file system")                                                       \
    X(TooManyLinks, "Too many links")                                                          \
    X(BrokenPipe, "Broken pipe")                                                               \
    X(DomainError, "Numerical argument out of domain")                                         \
    X(OutOfRange, "Numerical result out of range")                                             \
    X(Deadlock, "Resource deadlock avoided")                                                   \
    X(NameTooLong, "File name too long")                                                       \
    X(NoLock, "No locks available")                                                            \
    X(NotImplemented, "Function not implemented")                                              \
    X(NotEmpty, "Directory not empty")                                                         \
    X(SymlinkLoop, "Too many levels of symbolic links")                                        \
    X(NoMessage, "No message of desired type")                                                 \
    X(IdentifierRemoved, "Identifier removed")                                                 \
    X(ChannelOutOfRange, "Channel number out of range")                                        \
    X(Level2NotSynchronized, "Level 2 not synchronized")                                       \
    X(Level3Halted, "Level 3 halted")                                                          \
    X(Level3Reset, "Level 3 reset")                                                            \
    X(LinkOutOfRange, "Link number out of range")                                              \
    X(ProtocolNotAttached, "Protocol driver not attached")                                     \
    X(NoCsiStructure, "No CSI structure available")                                            \
    X(Level2Halted, "Level 2 halted")                                                          \
    X(BadExchange, "Invalid exchange")                                                         \
    X(BadRequestDescriptor, "Invalid request descriptor")                                      \
    X(ExchangeFull, "Exchange full")                                                           \
    X(NoAnode, "No anode")                                                                     \
    X(BadRequestCode, "Invalid request code")                                                  \
    X(BadSlot, "Invalid slot")                                                                 \
    X(BadFontFile, "Bad font file format")                                                     \
    X(NotStream, "Device not a stream")                                                        \
    X(NoAttribute, "No data available")                                                        \
    X(TimerExpired, "Timer expired")                                                           \
    X(NoStreamResources, "Out of streams resources")                                           \
    X(NotOnNetwork, "Machine is not on the network")                                           \
    X(PackageNotInstalled, "Package not installed")                                            \
    X(RemoteObject, "Object is remote")                                                        \
    X(LinkSevered, "Link has been severed")                                                    \
    X(AdvertiseError, "Advertise error")                                                       \
    X(RemoteMountError, "Srmount error")                                                       \
    X(CommunicationError, "Communication error on send")                                       \
    X(ProtocolError, "Protocol error")                                                         \
    X(MultihopAttempted, "Multihop attempted")                                                 \
    X(RemoteFileSharing, "RFS specific error")                                                 \
    X(BadMessage, "Bad message")                                                               \
    X(Overflow, "Value too large for defined data type")                                       \
    X(NameNotUnique, "Name not unique on network")                                             \
    X(HandleInBadState, "File descriptor in bad state")                                        \
    X(RemoteAddressChanged, "Remote address changed")                                          \
    X(LibraryInaccessible, "Can not access a needed shared library")                           \
    X(BadLibrary, "Accessing a corrupted shared library")                                      \
    X(LibrarySectionCorrupt, ".lib section in a.out corrupted")                                \
    X(TooManyLibraries, "Attempting to link in too many shared libraries")                     \
    X(LibraryNotExecutable, "Cannot exec a shared library directly")                           \
    X(IllegalByteSequence, "Invalid or incomplete multibyte or wide character")                \
    X(ShouldRestart, "Interrupted system call should be restarted")                            \
    X(StreamsPipe, "Streams pipe error")                                                       \
    X(TooManyUsers, "Too many users")                                                          \
    X(NotSocket, "Socket operation on non-socket")                                             \
    X(DestinationRequired, "Destination address required")                                     \
    X(MessageTooLong, "Message too long")                                                      \
    X(WrongProtocolType, "Protocol wrong type for socket")                                     \
    X(ProtocolOptionUnavailable, "Protocol not available")                                     \
    X(ProtocolUnsupported, "Protocol not supported")                                           \
    X(SocketTypeUnsupported, "Socket type not supported")                                      \
    X(NotSupported, "Operation not supported")                                                 \
    X(ProtocolFamilyUnsupported, "Protocol family not supported")                              \
    X(AddressFamilyUnsupported, "Address family not supported by protocol")                    \
    X(AddressInUse, "Address already in use")                                                  \
    X(AddressNotAvailable, "Cannot assign requested address")                                  \
    X(NetworkDown, "Network is down")                                                          \
    X(NetworkUnreachable, "Network is unreachable")                                            \
    X(NetworkReset, "Network dropped connection on reset")                                     \
    X(ConnectionAborted, "Software caused connection abort")                                   \
    X(ConnectionReset, "Connection reset by peer")                                             \
    X(NoBufferSpace, "No buffer space available")                                              \
    X(AlreadyConnected, "Transport endpoint is already connected")                             \
    X(NotConnected, "Transport endpoint is not connected")                                     \
    X(EndpointShutDown, "Cannot send after transport endpoint shutdown")                       \
    X(TooManyReferences, "Too many references: cannot splice")                                 \
    X(TimedOut, "Connection timed out")                                                        \
    X(ConnectionRefused, "Connection refused")                                                 \
    X(HostDown, "Host is down")                                                                \
    X(HostUnreachable, "No route to host")                                                     \
    X(AlreadyInProgress, "Operation already in progress")                                      \
    X(InProgress, "Operation now in progress")                                                 \
    X(StaleHandle, "Stale file handle")                                                        \
    X(NeedsCleaning, "Structure needs cleaning")                                               \
    X(NotNamedTypeFile, "Not a XENIX named type file")                                         \
    X(NoSemaphores, "No XENIX semaphores available")                                           \
    X(IsNamedTypeFile, "Is a named type file")                                                 \
    X(RemoteIo, "Remote I/O error")                                                            \
    X(QuotaExceeded, "Disk quota exceeded")                                                    \
    X(NoMedium, "No medium found")                                                             \
    X(WrongMediumType, "Wrong medium type")                                                    \
    X(Canceled, "Operation canceled")                                                          \
    X(NoKey, "Required key not available")                                                     \
    X(KeyExpired, "Key has expired")                                                           \
    X(KeyRevoked, "Key has been revoked")                                                      \
    X(KeyRejected, "Key was rejected by service")                                              \
    X(OwnerDied, "Owner died")                                                                 \
    X(NotRecoverable, "State not recoverable")                                                 \
    X(RadioKilled, "Operation not possible due to RF-kill")                                    \
    X(HardwarePoison, "Memory page has hardware error")                                        \
    /* Never visible to a program: they tell the return path of a system call what to do. */   \
    X(RestartSyscall, "restart if the handler allows it or none runs, else interrupted")       \
    X(RestartAlways, "restart in any case")                                                    \
    X(RestartNoHandler, "restart only if no handler runs, else interrupted")                   \
    X(RestartBlock, "restart through the saved restart record, interrupted if a handler runs") \
    X(Killed, "the thread must die")

namespace kernel {

enum class Error : std::uint8_t {
#define KPIO_DEFINE_ERROR(name, text) name,
    KPIO_ERRORS(KPIO_DEFINE_ERROR)
#undef KPIO_DEFINE_ERROR
};

#define KPIO_COUNT_ERROR(name, text) +1
inline constexpr unsigned kErrorCount = 0 KPIO_ERRORS(KPIO_COUNT_ERROR);
#undef KPIO_COUNT_ERROR

// The enumerator's name ("NotFound") and its meaning ("No such file or directory").
std::string_view error_name(Error error);
std::string_view error_text(Error error);

}  // namespace kernel
