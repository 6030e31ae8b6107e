#include "sampling/dense_impl.h"

FORETELL_DENSE_LOOPS(avx512_dense_loops, "avx512")
