#include "kernels/simd/avx2.h"
// The lanes come first: the kernels are written on them.
#include "kernels/kernels_impl.h"

FORETELL_KERNELS(avx2_kernels, "avx2")
