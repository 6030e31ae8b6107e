#include "kernels/simd/avx512.h"
// The lanes come first: the kernels are written on them.
#include "kernels/kernels_impl.h"

FORETELL_KERNELS(avx512_kernels, "avx512")
