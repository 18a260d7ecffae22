// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/checker.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>

#include "check_layers/layers.h"
#include "check_layers/source_text.h"

namespace check_layers {
namespace {

using namespace std::literals;

constexpr std::string_view kLicense = "SPDX-License-Identifier: MIT OR Apache-2.0";
constexpr std::size_t kLongFileLines = 600;
constexpr std::size_t kSafetyDistanceLines = 4;

// Standard headers that neither allocate nor need a C library, nor the floating point unit.
constexpr std::array kAllowedHeaders = {
    "algorithm"sv, "array"sv,       "atomic"sv,          "bit"sv,      "compare"sv,
    "concepts"sv,  "cstddef"sv,     "cstdint"sv,         "expected"sv, "initializer_list"sv,
    "iterator"sv,  "limits"sv,      "memory"sv,          "new"sv,      "numeric"sv,
    "optional"sv,  "ranges"sv,      "source_location"sv, "span"sv,     "string_view"sv,
    "tuple"sv,     "type_traits"sv, "utility"sv,         "variant"sv,  "version"sv,
};

// In lib and platform, which stand where a C library stands elsewhere.
constexpr std::array kBottomHeaders = {"cstdarg"sv, "cstring"sv, "cpuid.h"sv, "immintrin.h"sv, "x86intrin.h"sv};

// In platform/hosted, which has a C library. Any header of C, POSIX or Linux (name.h) is allowed there too.
constexpr std::array kHostHeaders = {"cerrno"sv, "climits"sv, "csignal"sv, "cstdio"sv, "cstdlib"sv, "ctime"sv};

constexpr std::array kPlatformMacros = {"__STDC_HOSTED__"sv, "__linux"sv, "__linux__"sv,
                                        "__unix__"sv,        "linux"sv,   "unix"sv};

// A CPU is not a platform: lib may use an instruction where the compiler has no common name for it.
constexpr std::array kCpuMacros = {"__aarch64__"sv, "__i386__"sv, "__riscv"sv, "__x86_64"sv, "__x86_64__"sv};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

struct Include {
    std::string path;
    bool quoted;
};

// A preprocessor line without its '#', or nothing.
std::optional<std::string_view> directive(std::string_view code) {
    const std::size_t start = code.find_first_not_of(" \t");
    if (start == std::string_view::npos || code[start] != '#') {
        return std::nullopt;
    }
    const std::size_t word = code.find_first_not_of(" \t", start + 1);
    return word == std::string_view::npos ? ""sv : code.substr(word);
}

std::optional<Include> parse_include(std::string_view code) {
    const auto text = directive(code);
    if (!text || !text->starts_with("include")) {
        return std::nullopt;
    }
    const std::size_t open = text->find_first_of("\"<");
    if (open == std::string_view::npos) {
        return std::nullopt;
    }
    const bool quoted = (*text)[open] == '"';
    const std::size_t close = text->find(quoted ? '"' : '>', open + 1);
    if (close == std::string_view::npos) {
        return std::nullopt;
    }
    return Include{std::string(text->substr(open + 1, close - open - 1)), quoted};
}

class FileChecker {
public:
    FileChecker(std::string_view path, std::string_view text, Report& report)
        : path_(path), lines_(split_source(text)), report_(report) {}

    void run() {
        check_license();
        if (!path_.starts_with("kernel/")) {
            return;
        }
        const std::string_view below_kernel = path_.substr("kernel/"sv.size());
        const auto module = module_of(below_kernel);
        if (!module) {
            complain(0,
                     "belongs to no module: kernel/ has abi, lib, core/{object,mm,irq,sched,ipc,syscall}, "
                     "services/{security,drivers,vfs,net,linux}, platform/{include,hosted,x86_64} and main");
            return;
        }
        module_ = *module;
        is_test_ = path_.ends_with("_test.cc");
        check_shape();
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            check_includes(i);
            if (!is_test_) {
                check_conditional(i);
                check_words(i);
            }
        }
        if (!is_test_) {
            count();
        }
    }

private:
    void complain(std::size_t index, std::string message) {
        report_.violations.push_back({std::string(path_), index + 1, std::move(message)});
    }

    bool is_bottom() const { return module_ == "lib" || is_platform(module_); }

    void check_license() {
        // Assembler may begin a comment with '#', which is no comment in C++.
        if (lines_.empty() || (lines_[0].comment + lines_[0].code).find(kLicense) == std::string::npos) {
            complain(0, "the first line must be: // " + std::string(kLicense));
        }
    }

    void check_shape() {
        const auto is_once = [](const SourceLine& line) { return line.code.find("#pragma once") != std::string::npos; };
        if (path_.ends_with(".h") && std::ranges::none_of(lines_, is_once)) {
            complain(0, "a header needs #pragma once");
        }
        if (path_.ends_with(".S") && !is_platform(module_)) {
            complain(0, "assembler belongs in kernel/platform");
        }
        if (lines_.size() > kLongFileLines) {
            report_.long_files.emplace_back(path_);
        }
    }

    void check_includes(std::size_t index) {
        const auto include = parse_include(lines_[index].code);
        if (!include) {
            return;
        }
        if (include->quoted) {
            check_own_include(index, include->path);
        } else if (!is_test_) {
            check_system_include(index, include->path);
        }
    }

    void check_own_include(std::size_t index, const std::string& target) {
        if (is_test_ && (target.starts_with("tests/") || target.starts_with("support/"))) {
            return;
        }
        const auto to = module_of_include(target);
        if (!to) {
            complain(index, "\"" + target + "\": include paths start below kernel/, such as \"lib/result.h\"");
        } else if (!may_include(module_, *to)) {
            complain(index, module_ + " must not include " + *to + " (\"" + target + "\"): arrows point down only");
        }
    }

    void check_system_include(std::size_t index, const std::string& target) {
        const bool host_header =
            module_ == "platform/hosted" && (target.ends_with(".h") || contains(kHostHeaders, target));
        const bool allowed = contains(kAllowedHeaders, target) || (is_bottom() && contains(kBottomHeaders, target));
        if (!allowed && !host_header) {
            complain(index, "<" + target + "> is not among the standard headers allowed in the kernel");
        }
    }

    void check_conditional(std::size_t index) {
        const auto text = directive(lines_[index].code);
        if (!text || is_platform(module_) || !(text->starts_with("if") || text->starts_with("elif"))) {
            return;
        }
        for (const std::string_view word : identifiers(*text)) {
            const bool names_platform =
                contains(kPlatformMacros, word) || word.starts_with("KPIO_PLATFORM") || word.starts_with("KPIO_HOSTED");
            if (names_platform || (module_ != "lib" && contains(kCpuMacros, word))) {
                complain(index, "#if about the platform (" + std::string(word) +
                                    ") outside kernel/platform: platforms are chosen by linking same-named files");
            }
        }
    }

    void check_words(std::size_t index) {
        if (path_.ends_with(".S")) {
            return;
        }
        for (const std::string_view word : identifiers(lines_[index].code)) {
            if (word == "reinterpret_cast" || word == "asm" || word == "__asm__" || word == "__asm") {
                check_raw(index, word);
            } else if (word == "thread_local" && module_ != "platform/hosted") {
                complain(index, "thread_local: use platform::this_cpu()");
            } else if (word == "float" || word == "double") {
                complain(index, "no floating point in the kernel");
            }
        }
    }

    void check_raw(std::size_t index, std::string_view word) {
        if (!is_bottom()) {
            complain(index, std::string(word) + " belongs in kernel/platform or kernel/lib");
        } else if (!binds_register(index) && !is_explained(index)) {
            complain(index, std::string(word) + " needs a // SAFETY: comment at most " +
                                std::to_string(kSafetyDistanceLines) + " lines above");
        }
    }

    // `register long r10 asm("r10")` does nothing without the asm statement after it, which has its own comment.
    bool binds_register(std::size_t index) const {
        const auto words = identifiers(lines_[index].code);
        return !words.empty() && words[0] == "register";
    }

    // A comment of several lines counts from its last line.
    bool is_explained(std::size_t index) const {
        std::size_t distance = 0;
        for (std::size_t i = index;; --i) {
            if (lines_[i].comment.find("SAFETY:") != std::string::npos) {
                return true;
            }
            const bool comment_only = !lines_[i].has_code() && !lines_[i].comment.empty();
            distance += comment_only ? 0U : 1U;
            if (i == 0 || distance > kSafetyDistanceLines) {
                return false;
            }
        }
    }

    void count() {
        LayerSize& size = report_.layers[std::string(layer_of(module_))];
        ++size.files;
        const bool assembler = path_.ends_with(".S");
        size.code_lines += static_cast<std::size_t>(std::ranges::count_if(lines_, [&](const SourceLine& line) {
            return line.has_code() && !(assembler && line.code.starts_with("# "));
        }));
    }

    std::string_view path_;
    std::vector<SourceLine> lines_;
    Report& report_;
    std::string module_;
    bool is_test_ = false;
};

std::string read_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (stream.bad() || !stream.is_open()) {
        throw std::runtime_error("cannot read " + path.string());
    }
    return text;
}

}  // namespace

void check_file(std::string_view path, std::string_view text, Report& report) {
    FileChecker(path, text, report).run();
}

std::size_t budget_of(std::string_view layer) {
    if (layer == "core") {
        return 50'000;
    }
    return layer == "services" ? 100'000 : 0;
}

void check_budgets(Report& report) {
    for (const auto& [layer, size] : report.layers) {
        const std::size_t budget = budget_of(layer);
        if (budget != 0 && size.code_lines >= budget) {
            report.violations.push_back(
                {"kernel/" + layer, 0,
                 std::to_string(size.code_lines) + " lines of code, budget " + std::to_string(budget)});
        }
    }
}

Report check_tree(const std::filesystem::path& root) {
    std::vector<std::filesystem::path> paths;
    for (const char* folder : {"kernel", "servers", "userspace", "tools", "tests", "bench"}) {
        if (!std::filesystem::is_directory(root / folder)) {
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
            const std::string extension = entry.path().extension().string();
            if (entry.is_regular_file() &&
                (extension == ".h" || extension == ".cc" || extension == ".S" || extension == ".def")) {
                paths.push_back(entry.path());
            }
        }
    }
    std::ranges::sort(paths);
    Report report;
    for (const auto& path : paths) {
        check_file(path.lexically_relative(root).generic_string(), read_file(path), report);
    }
    check_budgets(report);
    return report;
}

}  // namespace check_layers
