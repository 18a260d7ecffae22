// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/cpuinfo: what CPUID says, in Linux's words.
#include <array>
#include <optional>

#include "lib/bytes.h"
#include "lib/guarded.h"
#include "platform/cpu.h"
#include "platform/user_context.h"
#include "services/linux/procfs_entries.h"

namespace kernel::linux_abi::procfs {
namespace {

using platform::CpuIdentification;

enum class Word : std::uint8_t { Eax, Ebx, Ecx, Edx };

// A feature bit that programs look for by name. In the order in which Linux prints them.
struct Feature {
    std::uint32_t leaf;
    std::uint32_t subleaf;
    Word word;
    std::uint8_t bit;
    std::string_view name;
};
constexpr std::uint32_t kExtended1 = 0x8000'0001;
constexpr Feature kFeatures[] = {
    {1, 0, Word::Edx, 0, "fpu"},
    {1, 0, Word::Edx, 4, "tsc"},
    {1, 0, Word::Edx, 8, "cx8"},
    {1, 0, Word::Edx, 11, "sep"},
    {1, 0, Word::Edx, 15, "cmov"},
    {1, 0, Word::Edx, 19, "clflush"},
    {1, 0, Word::Edx, 23, "mmx"},
    {1, 0, Word::Edx, 24, "fxsr"},
    {1, 0, Word::Edx, 25, "sse"},
    {1, 0, Word::Edx, 26, "sse2"},
    {1, 0, Word::Edx, 28, "ht"},
    {kExtended1, 0, Word::Edx, 11, "syscall"},
    {kExtended1, 0, Word::Edx, 20, "nx"},
    {kExtended1, 0, Word::Edx, 22, "mmxext"},
    {kExtended1, 0, Word::Edx, 25, "fxsr_opt"},
    {kExtended1, 0, Word::Edx, 27, "rdtscp"},
    {kExtended1, 0, Word::Edx, 29, "lm"},
    {1, 0, Word::Ecx, 0, "pni"},
    {1, 0, Word::Ecx, 1, "pclmulqdq"},
    {1, 0, Word::Ecx, 9, "ssse3"},
    {1, 0, Word::Ecx, 12, "fma"},
    {1, 0, Word::Ecx, 13, "cx16"},
    {1, 0, Word::Ecx, 19, "sse4_1"},
    {1, 0, Word::Ecx, 20, "sse4_2"},
    {1, 0, Word::Ecx, 22, "movbe"},
    {1, 0, Word::Ecx, 23, "popcnt"},
    {1, 0, Word::Ecx, 25, "aes"},
    {1, 0, Word::Ecx, 26, "xsave"},
    {1, 0, Word::Ecx, 28, "avx"},
    {1, 0, Word::Ecx, 29, "f16c"},
    {1, 0, Word::Ecx, 30, "rdrand"},
    {1, 0, Word::Ecx, 31, "hypervisor"},
    {kExtended1, 0, Word::Ecx, 0, "lahf_lm"},
    {kExtended1, 0, Word::Ecx, 5, "abm"},
    {kExtended1, 0, Word::Ecx, 6, "sse4a"},
    {kExtended1, 0, Word::Ecx, 7, "misalignsse"},
    {kExtended1, 0, Word::Ecx, 8, "3dnowprefetch"},
    {7, 0, Word::Ebx, 0, "fsgsbase"},
    {7, 0, Word::Ebx, 3, "bmi1"},
    {7, 0, Word::Ebx, 5, "avx2"},
    {7, 0, Word::Ebx, 8, "bmi2"},
    {7, 0, Word::Ebx, 9, "erms"},
    {7, 0, Word::Ebx, 16, "avx512f"},
    {7, 0, Word::Ebx, 17, "avx512dq"},
    {7, 0, Word::Ebx, 18, "rdseed"},
    {7, 0, Word::Ebx, 19, "adx"},
    {7, 0, Word::Ebx, 21, "avx512ifma"},
    {7, 0, Word::Ebx, 23, "clflushopt"},
    {7, 0, Word::Ebx, 24, "clwb"},
    {7, 0, Word::Ebx, 28, "avx512cd"},
    {7, 0, Word::Ebx, 29, "sha_ni"},
    {7, 0, Word::Ebx, 30, "avx512bw"},
    {7, 0, Word::Ebx, 31, "avx512vl"},
    {0xd, 1, Word::Eax, 0, "xsaveopt"},
    {0xd, 1, Word::Eax, 1, "xsavec"},
    {0xd, 1, Word::Eax, 2, "xgetbv1"},
    {7, 1, Word::Eax, 4, "avx_vnni"},
    {7, 1, Word::Eax, 5, "avx512_bf16"},
    {7, 0, Word::Ecx, 1, "avx512vbmi"},
    {7, 0, Word::Ecx, 6, "avx512_vbmi2"},
    {7, 0, Word::Ecx, 8, "gfni"},
    {7, 0, Word::Ecx, 9, "vaes"},
    {7, 0, Word::Ecx, 10, "vpclmulqdq"},
    {7, 0, Word::Ecx, 11, "avx512_vnni"},
    {7, 0, Word::Ecx, 12, "avx512_bitalg"},
    {7, 0, Word::Ecx, 14, "avx512_vpopcntdq"},
    {7, 0, Word::Ecx, 22, "rdpid"},
    {7, 0, Word::Edx, 4, "fsrm"},
    {7, 0, Word::Edx, 23, "avx512_fp16"},
};

struct Leaf {
    std::uint32_t leaf;
    std::uint32_t subleaf;
};
constexpr Leaf kLeaves[] = {
    {0, 0},          {1, 0},           {7, 0},           {7, 1},           {0xd, 1},         {0x16, 0},
    {kExtended1, 0}, {0x8000'0002, 0}, {0x8000'0003, 0}, {0x8000'0004, 0}, {0x8000'0008, 0},
};
using Answers = std::array<CpuIdentification, std::size(kLeaves)>;

// All that is asked for, asked once: in a virtual machine each question costs tens of microseconds.
class Processor {
public:
    static Processor get() {
        if (const std::optional<Processor> known =
                known_.with([](const std::optional<Processor>& all) { return all; })) {
            return *known;
        }
        Processor fresh;
        for (std::size_t i = 0; i < std::size(kLeaves); ++i) {
            fresh.answers_[i] = platform::cpu_identification(kLeaves[i].leaf, kLeaves[i].subleaf);
        }
        known_.with([&](std::optional<Processor>& known) { known = fresh; });
        return fresh;
    }
    CpuIdentification leaf(std::uint32_t leaf, std::uint32_t subleaf = 0) const {
        for (std::size_t i = 0; i < std::size(kLeaves); ++i) {
            if (kLeaves[i].leaf == leaf && kLeaves[i].subleaf == subleaf) {
                return answers_[i];
            }
        }
        return {};
    }

private:
    static SpinGuarded<std::optional<Processor>, Rank::FsContext> known_;
    Answers answers_{};
};
SpinGuarded<std::optional<Processor>, Rank::FsContext> Processor::known_;

std::uint32_t word_of(const CpuIdentification& found, Word word) {
    switch (word) {
        case Word::Eax:
            return found.eax;
        case Word::Ebx:
            return found.ebx;
        case Word::Ecx:
            return found.ecx;
        case Word::Edx:
            return found.edx;
    }
    return 0;
}

// Registers that hold text, one behind the other.
template <std::size_t Words>
std::string_view text_of(const std::array<std::uint32_t, Words>& words) {
    const std::string_view all = as_text(std::as_bytes(std::span(words)));
    const std::string_view text = all.substr(0, all.find('\0'));
    const std::size_t first = text.find_first_not_of(' ');
    return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

struct Model {
    std::array<std::uint32_t, 3> vendor{};
    std::array<std::uint32_t, 12> name{};
    std::uint32_t family = 0, model = 0, stepping = 0, mhz = 0;
};

// Intel SDM volume 2, CPUID: extended families and models.
Model model_of(const Processor& processor) {
    Model result;
    const CpuIdentification vendor = processor.leaf(0);
    result.vendor = {vendor.ebx, vendor.edx, vendor.ecx};
    for (std::uint32_t part = 0; part < 3; ++part) {
        const CpuIdentification name = processor.leaf(0x8000'0002 + part);
        result.name[part * 4] = name.eax;
        result.name[part * 4 + 1] = name.ebx;
        result.name[part * 4 + 2] = name.ecx;
        result.name[part * 4 + 3] = name.edx;
    }
    const std::uint32_t signature = processor.leaf(1).eax;
    result.stepping = signature & 15;
    result.family = signature >> 8 & 15;
    result.model = signature >> 4 & 15;
    if (result.family == 6 || result.family == 15) {
        result.model |= (signature >> 16 & 15) << 4;
    }
    if (result.family == 15) {
        result.family += signature >> 20 & 255;
    }
    result.mhz = processor.leaf(0x16).eax & 0xffff;
    return result;
}

void add_features(Text& text, const Processor& processor) {
    text.add("flags\t\t:");
    for (const Feature& feature : kFeatures) {
        const std::uint32_t word = word_of(processor.leaf(feature.leaf, feature.subleaf), feature.word);
        if ((word >> feature.bit & 1) != 0) {
            text.print(" {}", feature.name);
        }
    }
    text.add("\n");
}

void add_cpu(Text& text, unsigned cpu, unsigned count, const Processor& processor) {
    const Model model = model_of(processor);
    text.print("processor\t: {}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\n", cpu, text_of(model.vendor),
               model.family, model.model);
    const std::string_view name = text_of(model.name);
    text.print("model name\t: {}\nstepping\t: {}\n", name.empty() ? "unknown" : name, model.stepping);
    if (model.mhz != 0) {
        text.print("cpu MHz\t\t: {}.000\n", model.mhz);
    }
    text.print("physical id\t: 0\nsiblings\t: {}\ncore id\t\t: {}\ncpu cores\t: {}\napicid\t\t: {}\n", count, cpu,
               count, cpu);
    text.print("fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: {}\nwp\t\t: yes\n", processor.leaf(0).eax);
    add_features(text, processor);
    const std::uint32_t line_bytes = (processor.leaf(1).ebx >> 8 & 255) * 8;
    const std::uint32_t sizes = processor.leaf(0x8000'0008).eax;
    text.print("bugs\t\t:\nclflush size\t: {}\ncache_alignment\t: {}\n", line_bytes, line_bytes);
    text.print("address sizes\t: {} bits physical, {} bits virtual\npower management:\n\n", sizes & 255,
               sizes >> 8 & 255);
}

}  // namespace

Result<> cpuinfo(const Subject&, Text& text) {
    const Processor processor = Processor::get();
    const unsigned count = platform::cpu_count();
    for (unsigned cpu = 0; cpu < count; ++cpu) {
        add_cpu(text, cpu, count, processor);
    }
    return {};
}

}  // namespace kernel::linux_abi::procfs
