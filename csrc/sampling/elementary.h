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

constexpr double kLog2High = 0x1.62e42fee00000p-1;  // ln 2 in two parts: times a small integer,
constexpr double kLog2Low = 0x1.a39ef35793c76p-33;  // the first is exact

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
// ln m = 2 (s + s³/3 + s⁵/5 + …), s = (m - 1) / (m + 1), of which |s| < 0.172 needs 12 terms.
inline double log_of(double x) {
    constexpr double kLeastNormal = std::numeric_limits<double>::min();
    if (!(x >= kLeastNormal && x < std::numeric_limits<double>::infinity())) {
        if (x > 0 && x < kLeastNormal) return log_of(x * 0x1p54) - 54 * 0x1.62e42fefa39efp-1;
        if (x == 0) return -std::numeric_limits<double>::infinity();
        return x > 0 ? x : std::nan("");
    }
    constexpr uint64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
    const uint64_t shifted = bits_of(x) - kRootOfHalf;
    const auto n = static_cast<double>(static_cast<int64_t>(shifted) >> 52);
    const double f = double_of((shifted & 0xfffffffffffff) + kRootOfHalf) - 1;
    const double s = f / (2 + f);
    const double z = s * s;
    // z / 3 + z² / 5 + … + z¹¹ / 23, in two sums that do not wait for each other
    const double w = z * z;
    const double odd =
        1.0 / 3 + w * (1.0 / 7 + w * (1.0 / 11 + w * (1.0 / 15 + w * (1.0 / 19 + w * (1.0 / 23)))));
    const double even = 1.0 / 5 + w * (1.0 / 9 + w * (1.0 / 13 + w * (1.0 / 17 + w * (1.0 / 21))));
    const double sum = z * odd + w * even;
    // ln m = f - s (f - 2 sum): what is rounded is small beside f.
    return n * kLog2High + ((f - s * (f - 2 * sum)) + n * kLog2Low);
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

// How far two distributions are apart, as DoLa takes it: Σ m · (ln m - (ln p + ln q) / 2) of their
// mean m, with p as float64 and as log-probabilities, q as log-probabilities. In four sums.
inline double divergence(const double* p, const float* log_p, const float* log_q, int64_t size) {
    double sums[4] = {};
    for (int64_t i = 0; i < size; ++i) {
        const double mean = 0.5 * (p[i] + exp_of(log_q[i]));
        const float both = 0.5f * (log_p[i] + log_q[i]);
        sums[i % 4] += mean * (log_of(mean > 1e-37 ? mean : 1e-37) - (both > -1e4f ? both : -1e4f));
    }
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace
}  // namespace foretell
