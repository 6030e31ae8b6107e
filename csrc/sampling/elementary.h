// exp, log and inner products whose bits are the same on every machine: float64 (float32 for the
// products) multiplies, adds and divisions that are never fused, in an order that is written here.
// Those of numpy and of C libraries differ with the processor in their last bits.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "sampling/exp.h"

namespace foretell {
namespace {

// e^x within 2 units in the last place; 0 below -708, where it is under 2^-1021.
inline double exp_of(double x) {
    if (!(x >= -708)) return std::isnan(x) ? x : 0;
    if (x > 709) return std::numeric_limits<double>::infinity();
    const double steps = (x * kStepsPerE + kToInteger) - kToInteger;
    const double r = (x - steps * kStepHigh) - steps * kStepLow;
    const double p = r + r * r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120))));
    const auto n = static_cast<int64_t>(steps);
    const uint64_t exponent = static_cast<uint64_t>(n >> 6) << 52;
    const double scale = double_of(kPowers[n & 63] + exponent);
    return scale + scale * p;
}

// ln x within 2 units in the last place: x = 2^n · m with m in [√½, √2), and by the series
// ln m = 2 (s + s³/3 + s⁵/5 + …), s = (m - 1) / (m + 1), of which |s| < 0.172 needs 11 terms.
inline double log_of(double x) {
    if (!(x > 0)) return x == 0 ? -std::numeric_limits<double>::infinity() : std::nan("");
    if (std::isinf(x)) return x;
    int n;
    double m = std::frexp(x, &n);  // in [½, 1)
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2;
        --n;
    }
    const double f = m - 1;
    const double s = f / (2 + f);
    const double z = s * s;
    double sum = 0;
    for (int odd = 23; odd >= 3; odd -= 2) sum = z * (1.0 / odd + sum);
    // ln m = f - s (f - 2 sum): what is rounded is small beside f.
    return n * 0x1.62e42fee00000p-1 + ((f - s * (f - 2 * sum)) + n * 0x1.a39ef35793c76p-33);
}

// Σ a_i · b_i in float32: sixteen sums of every sixteenth product, added up from first to last.
inline float inner_product(const float* a, const float* b, int64_t size) {
    constexpr int64_t kLanes = 16;
    float lanes[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
        for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
    }
    for (; i < size; ++i) lanes[i % kLanes] += a[i] * b[i];
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    return sum;
}

}  // namespace
}  // namespace foretell
