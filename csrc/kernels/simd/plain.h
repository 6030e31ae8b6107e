// Sixteen lanes in plain C++: the reference for the other instruction sets, and the fallback on a
// machine that has none of them. See simd/avx512.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "weights/half.h"

namespace {

constexpr int kMaxColumns = 4;
constexpr int kSums = 6;

struct Vec {
    float lane[16];
};
struct Int {
    int32_t lane[16];
};
struct Bytes {
    uint8_t byte[64];
};

template <class Out, class F>
inline Out each(F f) {
    Out out;
    for (int i = 0; i < 16; ++i) out.lane[i] = f(i);
    return out;
}

inline Vec load(const float* p) {
    Vec v;
    std::memcpy(v.lane, p, sizeof v.lane);
    return v;
}
inline void store(float* p, Vec v) { std::memcpy(p, v.lane, sizeof v.lane); }
inline Vec set(float x) {
    return each<Vec>([&](int) { return x; });
}
inline Vec add(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline Vec sub(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline Vec mul(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline Vec div(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return each<Vec>([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
inline Vec max(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Vec min(Vec a, Vec b) {
    return each<Vec>([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline Vec abs(Vec a) {
    return each<Vec>([&](int i) { return std::fabs(a.lane[i]); });
}
inline Vec select_below(Vec x, Vec bound, Vec a, Vec b) {
    return each<Vec>([&](int i) { return x.lane[i] < bound.lane[i] ? a.lane[i] : b.lane[i]; });
}

inline Vec load_half(const uint16_t* p) {
    return each<Vec>([&](int i) { return half_to_float(p[i]); });
}
inline void store_half(uint16_t* p, Vec v) {
    for (int i = 0; i < 16; ++i) p[i] = float_to_half(v.lane[i]);
}
inline Vec load_bfloat16(const uint16_t* p) {
    return each<Vec>([&](int i) { return bfloat16_to_float(p[i]); });
}

inline Vec load_e4m3(const uint8_t* p) {
    return each<Vec>([&](int i) { return half_to_float((p[i] & 0x80) << 8 | (p[i] & 0x7f) << 7); });
}

inline Int set_int(int32_t x) {
    return each<Int>([&](int) { return x; });
}
inline Int bits_of(Vec v) {
    Int out;
    std::memcpy(out.lane, v.lane, sizeof out.lane);
    return out;
}
inline Vec from_bits(Int v) {
    Vec out;
    std::memcpy(out.lane, v.lane, sizeof out.lane);
    return out;
}
// Unsigned inside, so that an overflow wraps as in the vector instructions.
inline Int add_int(Int a, Int b) {
    return each<Int>([&](int i) {
        return static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) +
                                    static_cast<uint32_t>(b.lane[i]));
    });
}
inline Int sub_int(Int a, Int b) {
    return each<Int>([&](int i) {
        return static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) -
                                    static_cast<uint32_t>(b.lane[i]));
    });
}
template <int N>
inline Int shift_left(Int a) {
    return each<Int>(
        [&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) << N); });
}
template <int N>
inline Int shift_right(Int a) {
    return each<Int>(
        [&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) >> N); });
}
inline Int and_int(Int a, Int b) {
    return each<Int>([&](int i) { return a.lane[i] & b.lane[i]; });
}
inline Int load_unsigned_bytes(const uint8_t* p) {
    return each<Int>([&](int i) { return int32_t{p[i]}; });
}
inline Int load_signed_bytes(const uint8_t* p) {
    return each<Int>([&](int i) { return int32_t{static_cast<int8_t>(p[i])}; });
}
inline Vec to_float(Int a) {
    return each<Vec>([&](int i) { return static_cast<float>(a.lane[i]); });
}
inline void store_low_bytes(int8_t* p, Int a) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(static_cast<uint8_t>(a.lane[i]));
}

inline float max_lane(Vec v) {
    float largest = v.lane[0];
    for (const float x : v.lane) largest = x > largest ? x : largest;
    return largest;
}
inline int32_t sum_bytes(const int8_t* p) {
    int32_t sum = 0;
    for (int i = 0; i < 16; ++i) sum += p[i];
    return sum;
}

template <class F>
inline Bytes each_byte(F f) {
    Bytes out;
    for (int i = 0; i < 64; ++i) out.byte[i] = static_cast<uint8_t>(f(i));
    return out;
}
inline Bytes load_codes(const uint8_t* p) {
    return each_byte([&](int i) { return p[i]; });
}
template <int Count, int From>
inline Bytes take_bits(Bytes c) {
    return each_byte([&](int i) { return c.byte[i] >> From & ((1 << Count) - 1); });
}
template <int Count, int From, int To>
inline Bytes add_bits(Bytes low, Bytes c) {
    const Bytes bits = take_bits<Count, From>(c);
    return each_byte([&](int i) { return low.byte[i] | bits.byte[i] << To; });
}
inline Bytes look_up(const uint8_t table[16], Bytes c) {
    return each_byte([&](int i) { return table[c.byte[i]]; });
}

template <int Largest>
using Sum = Int;
template <int Largest>
inline Int start_sum(Int start) {
    return start;
}
template <int Largest, int Quad>
inline void add_quad(Int& sum, Bytes codes, const int8_t* four) {
    for (int i = 0; i < 16; ++i) {
        for (int k = 0; k < 4; ++k) sum.lane[i] += codes.byte[4 * i + k] * four[k];
    }
}
inline Int finish(Int sum, Int) { return sum; }

inline void prefetch(const void*) {}

// Attention over int8 keys and values. See simd/avx512.h.

using KeyCodes = Bytes;
inline KeyCodes load_key_codes(const uint8_t* p) { return load_codes(p); }
inline Int begin_products(int32_t sum_of_query) { return set_int(-128 * sum_of_query); }
inline Int add_products(Int sum, KeyCodes keys, const int8_t* four) {
    add_quad<255, 0>(sum, keys, four);
    return sum;
}

inline void store_fine(uint8_t* p, Int weights) {
    for (int i = 0; i < 16; ++i) {
        const uint16_t weight = static_cast<uint16_t>(weights.lane[i]);
        std::memcpy(p + 2 * i, &weight, 2);
    }
}
using ValueCodes = Bytes;
inline ValueCodes load_value_codes(const uint8_t* p) { return load_codes(p); }
template <int Part>
inline Int add_fine(Int sum, const ValueCodes& values, const uint8_t* weights, int quad) {
    if (Part == 1) return sum;
    uint16_t four[4];
    std::memcpy(four, weights + 8 * quad, 8);
    for (int i = 0; i < 16; ++i) {
        for (int k = 0; k < 4; ++k) {
            sum.lane[i] += four[k] * static_cast<int8_t>(values.byte[4 * i + k]);
        }
    }
    return sum;
}
inline Int join_fine(Int all, Int) { return all; }

}  // namespace
