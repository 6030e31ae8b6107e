// What this processor runs, asked of the processor itself. The tables of kernels and of sampling's
// loops are chosen by it.
#pragma once

namespace foretell {

#if defined(FORETELL_X86)
bool cpu_runs_avx2();  // with FMA and F16C
bool cpu_runs_avx512();
#elif defined(FORETELL_ARM64)
bool cpu_runs_neon_dot();
#endif

}  // namespace foretell
