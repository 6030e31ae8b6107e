// float16 and bfloat16 to float32 and back, by their bits.
#pragma once

#include <cstdint>
#include <cstring>

static inline float float_of_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint32_t bits_of_float(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float bfloat16_to_float(uint16_t x) {
    return float_of_bits(static_cast<uint32_t>(x) << 16);
}

// Rounds to nearest, ties to even.
static inline uint16_t float_to_bfloat16(float x) {
    const uint32_t bits = bits_of_float(x);
    if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>((bits >> 16) | 0x40);  // NaN
    return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float half_to_float(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
    const uint32_t exponent = (h >> 10) & 0x1f, fraction = h & 0x3ff;
    if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in float32
        const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8f;
        return float_of_bits(sign | bits_of_float(magnitude));
    }
    if (exponent == 31) {  // infinity, or NaN made quiet as the vector instructions do
        const uint32_t quiet = fraction ? 0x400000 : 0;
        return float_of_bits(sign | 0x7f800000 | quiet | (fraction << 13));
    }
    return float_of_bits(sign | ((exponent + 112) << 23) | (fraction << 13));
}

// Rounds to nearest, ties to even; overflow gives infinity, small values subnormals.
static inline uint16_t float_to_half(float x) {
    const uint32_t bits = bits_of_float(x);
    const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
    const uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {  // NaN
        return static_cast<uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
    }
    if (magnitude >= 0x477ff000) return sign | 0x7c00;  // rounds past 65504
    if (magnitude < 0x38800000) {                       // below 2^-14: subnormal
        // Adding 0.5 puts the last bit of a half at the last bit of the float: the FPU rounds.
        const float shifted = float_of_bits(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (bits_of_float(shifted) - 0x3f000000));
    }
    const uint32_t odd = (magnitude >> 13) & 1;
    return static_cast<uint16_t>(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
}
