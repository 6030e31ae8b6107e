// Keys, values and queries as int8: x ≈ scale * code. See kernels_impl.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/elementwise_impl.h"
#include "weights/half.h"

namespace foretell {
namespace {

constexpr float kMostCode = 127.0f;

// max|x| / 127 of `size` values, a multiple of 16; NaN where they are not all finite, for that is
// an error that must be seen.
inline float code_scale(const float* x, int64_t size) {
    Vec largest = set(0.0f), flaw = set(0.0f);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec magnitude = abs(load(x + i));
        largest = max(magnitude, largest);
        flaw = max(flaw, select_below(magnitude, set(INFINITY), set(0.0f), set(1.0f)));
    }
    if (max_lane(flaw) > 0) return std::numeric_limits<float>::quiet_NaN();
    return max_lane(largest) / kMostCode;
}

// Codes of `size` values, rounded to nearest even; 0 where the scale is 0 or NaN.
inline void encode(const float* x, int64_t size, float scale, int8_t* codes) {
    if (!(scale > 0)) {
        std::memset(codes, 0, size);
        return;
    }
    const Vec low = set(-kMostCode), high = set(kMostCode);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec code = max(min(div(load(x + i), set(scale)), high), low);
        store_low_bytes(codes + i, bits_of(add(code, set(kRound))));
    }
}

// The bfloat16 at or next above a scale; NaN stays so.
inline uint16_t scale_to_bfloat16(float scale) {
    if (!(scale >= 0)) return 0x7fc0;
    uint32_t bits;
    std::memcpy(&bits, &scale, sizeof bits);
    return static_cast<uint16_t>((bits + 0xffff) >> 16);
}

}  // namespace
}  // namespace foretell
