#include "sampling/dense_impl.h"

FORETELL_DENSE_LOOPS(avx2_dense_loops, "avx2")
