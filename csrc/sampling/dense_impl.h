// The passes of dense.h, written so that compilers turn them into vector instructions.
// Each isa/*.cpp includes this and is compiled with that instruction set's flags; all has
// internal linkage, so that no function of one instruction set is called by another.
#pragma once

#include <limits>

#include "sampling/dense.h"
#include "sampling/exp.h"

namespace foretell {
namespace {

constexpr int kLanes = 16;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

inline float larger(float a, float b) { return a > b ? a : b; }
inline int32_t is_nan(float x) { return x != x; }

// A whole group: four logits for each lane, then the lanes.
inline float group_maximum(const float* x, int32_t* broken) {
    static_assert(kGroupSize == 4 * kLanes);
    float largest[kLanes];
    for (int i = 0; i < kLanes; ++i) {
        const float a = x[i], b = x[i + kLanes], c = x[i + 2 * kLanes], d = x[i + 3 * kLanes];
        largest[i] = larger(larger(a, b), larger(c, d));
        broken[i] |= is_nan(a) | is_nan(b) | is_nan(c) | is_nan(d);
    }
    for (int half = kLanes / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) largest[i] = larger(largest[i + half], largest[i]);
    }
    return largest[0];
}

bool group_maxima(const float* row, int64_t size, float* maxima) {
    int32_t broken[kLanes] = {};
    const int64_t whole = size / kGroupSize;
    for (int64_t g = 0; g < whole; ++g) maxima[g] = group_maximum(row + g * kGroupSize, broken);
    if (size % kGroupSize) {
        float last[kGroupSize];
        for (int64_t i = 0; i < kGroupSize; ++i) last[i] = -kInfinity;
        for (int64_t i = whole * kGroupSize; i < size; ++i) last[i % kGroupSize] = row[i];
        maxima[whole] = group_maximum(last, broken);
    }
    int32_t any = 0;
    for (const int32_t lane : broken) any |= lane;
    return any;
}

void divide(float* row, int64_t size, float divisor) {
    for (int64_t i = 0; i < size; ++i) row[i] /= divisor;
}

// x = row[i] - largest, never below kLowest, and e^x * 2^doublings. Three short loops, since the
// look-up between the arithmetic keeps one loop from vectorizing.
inline void exp_group(const float* row, int64_t count, double largest, uint64_t doublings,
                      double* x, double* result) {
    uint64_t steps[kGroupSize];
    double rest[kGroupSize];
    uint64_t power[kGroupSize];
    for (int64_t i = 0; i < count; ++i) {
        const double below = static_cast<double>(row[i]) - largest;
        x[i] = below > kLowest ? below : kLowest;
        const double shifted = x[i] * kStepsPerE + kToInteger;
        const double whole = shifted - kToInteger;
        steps[i] = bits_of(shifted);
        rest[i] = (x[i] - whole * kStepHigh) - whole * kStepLow;
    }
    for (int64_t i = 0; i < count; ++i) power[i] = kPowers[steps[i] & 63];
    for (int64_t i = 0; i < count; ++i) {
        const double r = rest[i];
        const double p = r + r * r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120))));
        // The constant in the steps' high bits falls out of the shift.
        const double scale = double_of(power[i] + (((steps[i] >> 6) + doublings) << 52));
        result[i] = scale + scale * p;
    }
}

inline int64_t rounded(double weight) {
    return static_cast<int64_t>(bits_of(weight + kPositiveToInteger) - bits_of(kPositiveToInteger));
}

inline void weigh_group(const float* row, int64_t count, double largest, int64_t* weights) {
    double x[kGroupSize], weight[kGroupSize];
    exp_group(row, count, largest, kWeightBits, x, weight);
    for (int64_t i = 0; i < count; ++i) weights[i] = rounded(weight[i]);
}

void weigh(const float* row, int64_t size, double largest, int64_t* weights) {
    for (int64_t at = 0; at < size; at += kGroupSize) {
        weigh_group(row + at, smaller(kGroupSize, size - at), largest, weights + at);
    }
}

void group_masses(const float* row, int64_t size, const float* maxima, double largest,
                  int64_t* masses) {
    for (int64_t at = 0, g = 0; at < size; at += kGroupSize, ++g) {
        masses[g] = 0;
        if (maxima[g] - largest < kLowest / 2) continue;  // all round to 0
        int64_t weights[kGroupSize];
        const int64_t count = smaller(kGroupSize, size - at);
        if (count == kGroupSize) {
            weigh_group(row + at, kGroupSize, largest, weights);
        } else {
            weigh_group(row + at, count, largest, weights);
        }
        int64_t sum = 0;
        for (int64_t i = 0; i < count; ++i) sum += weights[i];
        masses[g] = sum;
    }
}

int64_t count_possible(const float* row, int64_t size, const float* maxima) {
    int64_t found = 0;
    for (int64_t at = 0, g = 0; at < size; at += kGroupSize, ++g) {
        if (maxima[g] == -kInfinity) continue;
        const int64_t end = smaller(at + kGroupSize, size);
        int32_t here = 0;
        for (int64_t i = at; i < end; ++i) here += row[i] > -kInfinity;
        found += here;
    }
    return found;
}

// One sum for each index in a group, so that they are the same on every instruction set.
Moments moments(const float* row, int64_t size, const float* maxima, double largest,
                int64_t* masses) {
    double mass[kGroupSize] = {}, moment[kGroupSize] = {};
    for (int64_t at = 0, g = 0; at < size; at += kGroupSize, ++g) {
        if (masses) masses[g] = 0;
        if (maxima && maxima[g] == -kInfinity) continue;
        double x[kGroupSize], w[kGroupSize];
        const int64_t count = smaller(kGroupSize, size - at);
        if (count == kGroupSize) {
            exp_group(row + at, kGroupSize, largest, kWeightBits, x, w);
        } else {
            exp_group(row + at, count, largest, kWeightBits, x, w);
            for (int64_t i = count; i < kGroupSize; ++i) x[i] = w[i] = 0;
        }
        for (int64_t i = 0; i < kGroupSize; ++i) mass[i] += w[i];
        for (int64_t i = 0; i < kGroupSize; ++i) moment[i] += x[i] * w[i];
        if (masses) {
            int64_t sum = 0;
            for (int64_t i = 0; i < kGroupSize; ++i) sum += rounded(w[i]);
            masses[g] = sum;
        }
    }
    Moments all{0, 0};
    for (int64_t i = 0; i < kGroupSize; ++i) {
        all.mass += mass[i];
        all.moment += moment[i];
    }
    return {all.mass * kWeightUnit, all.moment * kWeightUnit};
}

int64_t gather(const float* row, int64_t size, const float* maxima, float bound, float* logits,
               int32_t* ids) {
    int64_t found = 0;
    for (int64_t at = 0, g = 0; at < size; at += kGroupSize, ++g) {
        if (maxima[g] < bound) continue;
        const int64_t end = smaller(at + kGroupSize, size);
        for (int64_t i = at; i < end; ++i) {
            logits[found] = row[i];
            ids[found] = static_cast<int32_t>(i);
            found += row[i] >= bound;
        }
    }
    return found;
}

}  // namespace
}  // namespace foretell

#define FORETELL_DENSE_LOOPS(function, label)                                            \
    namespace foretell {                                                                 \
    const DenseLoops& function() {                                                       \
        static const DenseLoops table = {label,        group_maxima,   divide,  weigh,   \
                                         group_masses, count_possible, moments, gather}; \
        return table;                                                                    \
    }                                                                                    \
    }
