#include "sampling/dense_impl.h"

FORETELL_DENSE_LOOPS(plain_dense_loops, "plain")
