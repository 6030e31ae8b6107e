#include "system/cpu.h"

#if defined(FORETELL_X86)
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(FORETELL_ARM64) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <cstdint>

namespace foretell {

#if defined(FORETELL_X86)
namespace {

struct Registers {
    uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf) {
    Registers r{};
#if defined(_MSC_VER)
    int out[4];
    __cpuidex(out, static_cast<int>(leaf), 0);
    r = {static_cast<uint32_t>(out[0]), static_cast<uint32_t>(out[1]),
         static_cast<uint32_t>(out[2]), static_cast<uint32_t>(out[3])};
#else
    __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
    return r;
}

// Which registers the operating system saves when it switches threads.
uint64_t saved_state() {
    if (!(cpuid(1).ecx >> 27 & 1)) return 0;
#if defined(_MSC_VER)
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<uint64_t>(high) << 32 | low;
#endif
}

bool has_all(uint32_t bits, uint32_t flags) { return (bits & flags) == flags; }

}  // namespace

bool cpu_runs_avx2() {
    constexpr uint32_t kFma = 1u << 12, kF16c = 1u << 29, kAvx2 = 1u << 5;
    return has_all(cpuid(1).ecx, kFma | kF16c) && has_all(cpuid(7).ebx, kAvx2) &&
           (saved_state() & 0x06) == 0x06;
}

bool cpu_runs_avx512() {
    constexpr uint32_t kFoundation = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;
    constexpr uint32_t kVnni = 1u << 11;
    const Registers r = cpuid(7);
    return cpu_runs_avx2() && has_all(r.ebx, kFoundation | kDq | kBw | kVl) &&
           has_all(r.ecx, kVnni) && (saved_state() & 0xe6) == 0xe6;
}

#elif defined(FORETELL_ARM64)

bool cpu_runs_neon_dot() {
#if defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#else
    return true;  // every Apple and Windows machine on ARM has it
#endif
}

#endif

}  // namespace foretell
