#include "kernels/simd/neon.h"
// The lanes come first: the kernels are written on them.
#include "kernels/kernels_impl.h"

FORETELL_KERNELS(neon_kernels, "neon")
