// The order of logits in integers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace foretell {

// Floats as integers of the same order.
inline int32_t rank_of(float x) {
    int32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? bits ^ 0x7fffffff : bits;
}

inline float float_of(int32_t rank) {
    const int32_t bits = rank < 0 ? rank ^ 0x7fffffff : rank;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// Integers in the opposite order, the same for 0 and -0; and back.
inline uint32_t falling(float x) {
    return ~(static_cast<uint32_t>(rank_of(x + 0.0f)) ^ 0x80000000u);
}
inline float unfalling(uint32_t code) {
    return float_of(static_cast<int32_t>(~code ^ 0x80000000u));
}

// The smallest float that is not below x.
inline float round_up(double x) {
    const float nearest = static_cast<float>(x);
    return nearest < x ? std::nextafter(nearest, std::numeric_limits<float>::infinity()) : nearest;
}

// An integer for each token of a row, ascending: larger logits first, then lower ids.
inline uint64_t key_of(float logit, int32_t id) {
    return static_cast<uint64_t>(falling(logit)) << 32 | static_cast<uint32_t>(id);
}

}  // namespace foretell
