#include "sampling/dense.h"

#include <cstring>

#include "system/cpu.h"

namespace foretell {

#if defined(FORETELL_X86)
const DenseLoops& avx512_dense_loops();
const DenseLoops& avx2_dense_loops();
#endif
const DenseLoops& plain_dense_loops();

namespace {

struct Available {
    DenseLoops list[3];
    int count = 0;

    Available() {
#if defined(FORETELL_X86)
        if (cpu_runs_avx512()) list[count++] = avx512_dense_loops();
        if (cpu_runs_avx2()) list[count++] = avx2_dense_loops();
#elif defined(FORETELL_ARM64)
        // Every processor of this family has NEON, so plain C++ is compiled to it.
        list[count] = plain_dense_loops();
        list[count++].name = "neon";
#endif
        list[count++] = plain_dense_loops();
    }
};

const Available& available() {
    static const Available found;
    return found;
}

}  // namespace

int num_dense_loops() { return available().count; }

const DenseLoops& dense_loops_at(int index) { return available().list[index]; }

const DenseLoops* find_dense_loops(const char* name) {
    for (int i = 0; i < num_dense_loops(); ++i) {
        if (std::strcmp(dense_loops_at(i).name, name) == 0) return &dense_loops_at(i);
    }
    return nullptr;
}

}  // namespace foretell
