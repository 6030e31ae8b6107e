#include "kernels/kernels.h"

#include <cstring>

#include "system/cpu.h"

namespace foretell {

#if defined(FORETELL_X86)
const Kernels& avx512_kernels();
const Kernels& avx2_kernels();
#elif defined(FORETELL_ARM64)
const Kernels& neon_kernels();
#endif
const Kernels& plain_kernels();

namespace {

struct Available {
    const Kernels* list[3];
    int count = 0;

    Available() {
#if defined(FORETELL_X86)
        if (cpu_runs_avx512()) list[count++] = &avx512_kernels();
        if (cpu_runs_avx2()) list[count++] = &avx2_kernels();
#elif defined(FORETELL_ARM64)
        if (cpu_runs_neon_dot()) list[count++] = &neon_kernels();
#endif
        list[count++] = &plain_kernels();
    }
};

const Available& available() {
    static const Available found;
    return found;
}

}  // namespace

int num_kernels() { return available().count; }

const Kernels& kernels_at(int index) { return *available().list[index]; }

const Kernels* find_kernels(const char* name) {
    for (int i = 0; i < num_kernels(); ++i) {
        if (std::strcmp(kernels_at(i).name, name) == 0) return &kernels_at(i);
    }
    return nullptr;
}

}  // namespace foretell
