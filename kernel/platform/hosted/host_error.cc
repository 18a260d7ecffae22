// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cerrno>

#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {

Error error_from_host(int host_errno_value) {
    switch (host_errno_value) {
        case EPERM:
            return Error::NotPermitted;
        case ENOENT:
            return Error::NotFound;
        case ESRCH:
            return Error::NoSuchProcess;
        case EINTR:
            return Error::Interrupted;
        case ENXIO:
            return Error::NoDevice;
        case E2BIG:
            return Error::ArgumentListTooLong;
        case EBADF:
            return Error::BadHandle;
        case EAGAIN:
            return Error::WouldBlock;
        case ENOMEM:
            return Error::NoMemory;
        case EACCES:
            return Error::AccessDenied;
        case EFAULT:
            return Error::BadAddress;
        case EBUSY:
            return Error::Busy;
        case EEXIST:
            return Error::Exists;
        case EXDEV:
            return Error::CrossDevice;
        case ENODEV:
            return Error::NotSupportedByDevice;
        case ENOTDIR:
            return Error::NotDirectory;
        case EISDIR:
            return Error::IsDirectory;
        case EINVAL:
            return Error::InvalidArgument;
        case ENFILE:
            return Error::FileTableFull;
        // Our own descriptors have run out, which is not the guest's process limit.
        case EMFILE:
            return Error::FileTableFull;
        case ETXTBSY:
            return Error::TextBusy;
        case EFBIG:
            return Error::FileTooLarge;
        case ENOSPC:
            return Error::NoSpace;
        case ESPIPE:
            return Error::IllegalSeek;
        case EROFS:
            return Error::ReadOnly;
        case EMLINK:
            return Error::TooManyLinks;
        case EPIPE:
            return Error::BrokenPipe;
        case ENAMETOOLONG:
            return Error::NameTooLong;
        case ENOSYS:
            return Error::NotImplemented;
        case ENOTEMPTY:
            return Error::NotEmpty;
        case ELOOP:
            return Error::SymlinkLoop;
        case ENODATA:
            return Error::NoAttribute;
        case EOVERFLOW:
            return Error::Overflow;
        case EOPNOTSUPP:
            return Error::NotSupported;
        case ETIMEDOUT:
            return Error::TimedOut;
        case ESTALE:
            return Error::StaleHandle;
        case EDQUOT:
            return Error::QuotaExceeded;
        default:
            return Error::Io;
    }
}

}  // namespace kernel::platform::hosted
