// The passes over a whole row of logits: one table of functions for each instruction set, all with
// the same results. The row (size) is cut into groups of kGroupSize, of which the last may be
// shorter; `maxima` and `masses` are (num_groups).
#pragma once

#include <cstdint>

namespace foretell {

constexpr int64_t kGroupSize = 64;
constexpr int64_t num_groups(int64_t size) { return (size + kGroupSize - 1) / kGroupSize; }

struct Moments {
    double mass, moment;
};

struct DenseLoops {
    const char* name;
    // The largest logit of each group. Returns whether the row has a NaN, which spoils maxima.
    bool (*group_maxima)(const float* row, int64_t size, float* maxima);
    // row[i] /= divisor
    void (*divide)(float* row, int64_t size, float divisor);
    // round(e^(row[i] - largest) * 2^44), see exp.h.
    void (*weigh)(const float* row, int64_t size, double largest, int64_t* weights);
    // The sum of each group's weights.
    void (*group_masses)(const float* row, int64_t size, const float* maxima, double largest,
                         int64_t* masses);
    // The number of logits that are not -inf.
    int64_t (*count_possible)(const float* row, int64_t size, const float* maxima);
    // Σ w and Σ x · w in float64, with x = row[i] - largest, never below -64, and w = e^x; groups
    // of -inf alone are left out if `maxima` is not null. Unless `masses` is, gives them on the
    // way.
    Moments (*moments)(const float* row, int64_t size, const float* maxima, double largest,
                       int64_t* masses);
    // Ids and logits of what reaches the bound, ascending ids; room for kGroupSize more is needed.
    int64_t (*gather)(const float* row, int64_t size, const float* maxima, float bound,
                      float* logits, int32_t* ids);
};

// The instruction sets that this build has and this processor runs, best first.
// `find_dense_loops` gives null for a name that is not among them.
int num_dense_loops();
const DenseLoops& dense_loops_at(int index);
const DenseLoops* find_dense_loops(const char* name);

}  // namespace foretell
