#include "kernels/simd/plain.h"
// The lanes come first: the kernels are written on them.
#include "kernels/kernels_impl.h"

FORETELL_KERNELS(plain_kernels, "plain")
