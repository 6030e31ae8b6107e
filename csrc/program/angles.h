// Cosine and sine of float32 angles, by float64 multiplies and adds that are never fused: those of
// the C libraries differ in their last bits, and a model's tokens with them, from one machine to
// another.
#pragma once

#include <cstdint>

namespace foretell {

struct CosSin {
    float cos, sin;
};

// Each within 0.50001 units in the last place, for |angle| < 2^24 (Cody & Waite 1980, Software
// Manual for the Elementary Functions: the angle less a multiple of pi / 2, then Taylor's series).
inline CosSin cos_sin(float angle) {
    constexpr double kPerQuarter = 0x1.45f306dc9c883p-1;  // 2 / pi
    constexpr double kToInteger = 0x1.8p+52;              // x + this - this: x rounded
    constexpr double kQuarterHigh = 0x1.921fb54p+0;       // pi / 2 in three parts: of the first two
    constexpr double kQuarterMiddle = 0x1.10b4610p-30;    // any multiple up to 2^24 is exact
    constexpr double kQuarterLow = 0x1.a62633145c06ep-58;

    const double x = angle;
    const double quarters = (x * kPerQuarter + kToInteger) - kToInteger;
    const double rest =
        ((x - quarters * kQuarterHigh) - quarters * kQuarterMiddle) - quarters * kQuarterLow;
    const double square = rest * rest;

    double sine = -1.0 / 1307674368000;  // of rest^15, then of rest^13, ...
    sine = sine * square + 1.0 / 6227020800;
    sine = sine * square - 1.0 / 39916800;
    sine = sine * square + 1.0 / 362880;
    sine = sine * square - 1.0 / 5040;
    sine = sine * square + 1.0 / 120;
    sine = sine * square - 1.0 / 6;
    sine = sine * square * rest + rest;

    double cosine = -1.0 / 87178291200;  // of rest^14, then of rest^12, ...
    cosine = cosine * square + 1.0 / 479001600;
    cosine = cosine * square - 1.0 / 3628800;
    cosine = cosine * square + 1.0 / 40320;
    cosine = cosine * square - 1.0 / 720;
    cosine = cosine * square + 1.0 / 24;
    cosine = cosine * square - 0.5;
    cosine = cosine * square + 1.0;

    const bool swaps = static_cast<int64_t>(quarters) & 1;
    const bool turns_cos = (static_cast<int64_t>(quarters) + 1) & 2;
    const bool turns_sin = static_cast<int64_t>(quarters) & 2;
    const double along = swaps ? sine : cosine, across = swaps ? cosine : sine;
    return {static_cast<float>(turns_cos ? -along : along),
            static_cast<float>(turns_sin ? -across : across)};
}

}  // namespace foretell
