// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/error.h"

namespace kernel {

std::string_view error_name(Error error) {
    switch (error) {
#define KPIO_ERROR_CASE(name, text) \
    case Error::name:               \
        return #name;
        KPIO_ERRORS(KPIO_ERROR_CASE)
#undef KPIO_ERROR_CASE
    }
    return "?";
}

std::string_view error_text(Error error) {
    switch (error) {
#define KPIO_ERROR_CASE(name, text) \
    case Error::name:               \
        return text;
        KPIO_ERRORS(KPIO_ERROR_CASE)
#undef KPIO_ERROR_CASE
    }
    return "?";
}

}  // namespace kernel
