// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "abi/linux/tty.h"

// What lies between a terminal's keyboard and a program that reads, and between a program that writes and the screen:
// termios(3). Pure logic without locks; its owner serialises calls.
namespace kernel::linux_abi {

// Where echoed characters go.
class EchoSink {
public:
    virtual void echo(char character) = 0;

protected:
    ~EchoSink() = default;
};

// The settings of a fresh terminal, as Linux's tty_std_termios.
abi::Termios default_termios();

class LineDiscipline {
public:
    static constexpr std::size_t kBufferBytes = 4096;

    const abi::Termios& termios() const { return termios_; }
    // What was typed before and waits stays readable, as in Linux: leaving canonical mode gives unfinished lines free.
    void set_termios(const abi::Termios& termios);

    // A character from the keyboard. Returns the signal that it raises for the foreground group, or 0.
    int receive(char character, EchoSink& echo);
    // The keyboard has gone: readers get what is left and then end of file.
    void receive_end() { ended_ = true; }

    // True if a read would return now (an end of file counts). In non-canonical mode: at least `minimum` bytes.
    bool has_input(std::size_t minimum = 1) const;
    std::size_t available() const;  // FIONREAD
    // How many characters receive() takes until a reader has to make room. An unfinished line takes any number: what
    // is too much is lost, as on Linux, since only its end can make it readable.
    std::size_t input_room() const;
    // One line at most in canonical mode. 0 means end of file. Call only when has_input().
    std::size_t read(std::span<char> bytes);
    void flush_input();

    bool is_canonical() const { return (termios_.local_flags & abi::kIcanon) != 0; }
    std::uint8_t minimum() const { return termios_.control_characters[abi::kVmin]; }
    std::uint8_t time_tenths() const { return termios_.control_characters[abi::kVtime]; }
    // Output is held back (Ctrl-S).
    bool is_stopped() const { return stopped_; }

    // What one character of output becomes on the screen: at most 8 bytes (a tab), returns how many.
    std::size_t transform_output(char character, std::span<char, 8> bytes);

private:
    // What a byte in the buffer is besides itself. An end of file ends a line and is not read.
    enum class Mark : std::uint8_t { None, LineEnd, EndOfFile };
    static constexpr std::size_t index(std::size_t position) { return position % kBufferBytes; }
    bool has(abi::LocalFlags flag) const { return (termios_.local_flags & flag) != 0; }
    bool is(abi::ControlCharacter which, char character) const;
    char map_input(char character, bool& ignore) const;
    int signal_of(char character) const;
    bool edit_line(char character, EchoSink& echo);
    void append(char character, Mark mark);
    void finish_line(char character, Mark mark);
    void erase_character(EchoSink& echo);
    void erase_word(EchoSink& echo);
    void erase_line(EchoSink& echo);
    void echo_character(char character, EchoSink& echo);
    void echo_raw(char character, EchoSink& echo);
    unsigned width_of(char character, unsigned column) const;

    abi::Termios termios_ = default_termios();
    std::array<char, kBufferBytes> buffer_{};
    std::array<Mark, kBufferBytes> marks_{};
    std::size_t tail_ = 0;       // next byte to read
    std::size_t committed_ = 0;  // end of the finished lines
    std::size_t head_ = 0;       // end of what was typed
    unsigned column_ = 0;
    unsigned line_start_column_ = 0;
    bool literal_next_ = false;
    bool stopped_ = false;
    bool ended_ = false;
};

}  // namespace kernel::linux_abi
