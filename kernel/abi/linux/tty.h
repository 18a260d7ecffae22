// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// Terminals: termios(3), ioctl_tty(2); values of asm-generic/termbits.h and ioctls.h.
namespace kernel::abi {

inline constexpr unsigned kTermiosControlCharacters = 19;

struct Termios {
    std::uint32_t input_flags, output_flags, control_flags, local_flags;
    std::uint8_t line;
    std::uint8_t control_characters[kTermiosControlCharacters];
};
static_assert(sizeof(Termios) == 36);

struct WindowSize {
    std::uint16_t rows, columns, x_pixels, y_pixels;
};

enum ControlCharacter : unsigned {
    kVintr,
    kVquit,
    kVerase,
    kVkill,
    kVeof,
    kVtime,
    kVmin,
    kVswtc,
    kVstart,
    kVstop,
    kVsusp,
    kVeol,
    kVreprint,
    kVdiscard,
    kVwerase,
    kVlnext,
    kVeol2
};
enum InputFlags : std::uint32_t {
    kIgnbrk = 1,
    kBrkint = 2,
    kIgnpar = 4,
    kParmrk = 010,
    kInpck = 020,
    kIstrip = 040,
    kInlcr = 0100,
    kIgncr = 0200,
    kIcrnl = 0400,
    kIuclc = 01000,
    kIxon = 02000,
    kIxany = 04000,
    kIxoff = 010000,
    kImaxbel = 020000,
    kIutf8 = 040000
};
enum OutputFlags : std::uint32_t {
    kOpost = 1,
    kOlcuc = 2,
    kOnlcr = 4,
    kOcrnl = 010,
    kOnocr = 020,
    kOnlret = 040,
    kOfill = 0100,
    kOfdel = 0200,
    kTabdly = 014000,
    kXtabs = 014000
};
enum ControlFlags : std::uint32_t { kB38400 = 017, kCs8 = 060, kCread = 0200, kHupcl = 02000, kClocal = 04000 };
enum LocalFlags : std::uint32_t {
    kIsig = 1,
    kIcanon = 2,
    kXcase = 4,
    kEcho = 010,
    kEchoe = 020,
    kEchok = 040,
    kEchonl = 0100,
    kNoflsh = 0200,
    kTostop = 0400,
    kEchoctl = 01000,
    kEchoprt = 02000,
    kEchoke = 04000,
    kFlusho = 010000,
    kPendin = 040000,
    kIexten = 0100000,
    kExtproc = 0200000
};

enum TerminalIoctl : std::uint32_t {
    kTcgets = 0x5401,
    kTcsets = 0x5402,
    kTcsetsw = 0x5403,
    kTcsetsf = 0x5404,
    kTcsbrk = 0x5409,
    kTcxonc = 0x540a,
    kTcflsh = 0x540b,
    kTiocexcl = 0x540c,
    kTiocnxcl = 0x540d,
    kTiocsctty = 0x540e,
    kTiocgpgrp = 0x540f,
    kTiocspgrp = 0x5410,
    kTiocoutq = 0x5411,
    kTiocsti = 0x5412,
    kTiocgwinsz = 0x5413,
    kTiocswinsz = 0x5414,
    kFionread = 0x541b,
    kFionbio = 0x5421,
    kTiocnotty = 0x5422,
    kTiocgsid = 0x5429,
    kFionclex = 0x5450,
    kFioclex = 0x5451,
    kFioasync = 0x5452,
    kTiocpkt = 0x5420,
    kTiocsetd = 0x5423,
    kTiocgetd = 0x5424,
    kTiocgptpeer = 0x5441,
    kTiocgptn = 0x80045430,
    kTiocsptlck = 0x40045431,
    kTiocgdev = 0x80045432,
    kTiocsig = 0x40045436,
    kTiocgpkt = 0x80045438,
    kTiocgptlck = 0x80045439,
};

// The first byte of each read in packet mode, TIOCPKT.
enum PacketByte : std::uint8_t {
    kTiocpktData = 0,
    kTiocpktFlushread = 1,
    kTiocpktFlushwrite = 2,
    kTiocpktStop = 4,
    kTiocpktStart = 8,
    kTiocpktNostop = 16,
    kTiocpktDostop = 32
};

}  // namespace kernel::abi
