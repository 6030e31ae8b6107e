// Sixteen lanes on 64-bit ARM with the dot-product extension: four registers each.
// See simd/avx512.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr int kMaxColumns = 4;
constexpr int kSums = 6;

struct Vec {
    float32x4_t r[4];
};
struct Int {
    int32x4_t r[4];
};
struct Bytes {
    uint8x16_t r[4];
};

template <class Out, class F>
inline Out each(F f) {
    Out out;
    for (int i = 0; i < 4; ++i) out.r[i] = f(i);
    return out;
}

inline Vec load(const float* p) {
    return each<Vec>([&](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, Vec v) {
    for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.r[i]);
}
inline Vec set(float x) {
    return each<Vec>([&](int) { return vdupq_n_f32(x); });
}
inline Vec add(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vaddq_f32(a.r[i], b.r[i]); });
}
inline Vec sub(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vsubq_f32(a.r[i], b.r[i]); });
}
inline Vec mul(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vmulq_f32(a.r[i], b.r[i]); });
}
inline Vec div(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vdivq_f32(a.r[i], b.r[i]); });
}
inline Vec fma(Vec a, Vec b, Vec c) {
    return each<Vec>([&](int i) { return vfmaq_f32(c.r[i], a.r[i], b.r[i]); });
}
// As x86: the second operand where the first is NaN.
inline Vec max(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vbslq_f32(vcgtq_f32(a.r[i], b.r[i]), a.r[i], b.r[i]); });
}
inline Vec min(Vec a, Vec b) {
    return each<Vec>([&](int i) { return vbslq_f32(vcltq_f32(a.r[i], b.r[i]), a.r[i], b.r[i]); });
}
inline Vec abs(Vec a) {
    return each<Vec>([&](int i) { return vabsq_f32(a.r[i]); });
}
inline Vec select_below(Vec x, Vec bound, Vec a, Vec b) {
    return each<Vec>(
        [&](int i) { return vbslq_f32(vcltq_f32(x.r[i], bound.r[i]), a.r[i], b.r[i]); });
}

inline Vec load_half(const uint16_t* p) {
    return each<Vec>(
        [&](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
}
inline void store_half(uint16_t* p, Vec v) {
    for (int i = 0; i < 4; ++i) {
        vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(v.r[i])));
    }
}
inline Vec load_bfloat16(const uint16_t* p) {
    return each<Vec>([&](int i) {
        return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p + 4 * i)), 16));
    });
}
inline Vec load_e4m3(const uint8_t* p) {
    const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(p));
    const int16x8_t halves[] = {vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes))};
    return each<Vec>([&](int i) {
        const int16x4_t wide = i % 2 ? vget_high_s16(halves[i / 2]) : vget_low_s16(halves[i / 2]);
        const uint16x4_t bits = vreinterpret_u16_s16(vshl_n_s16(wide, 7));
        return vcvt_f32_f16(vreinterpret_f16_u16(vand_u16(bits, vdup_n_u16(0xbfff))));
    });
}
inline Int set_int(int32_t x) {
    return each<Int>([&](int) { return vdupq_n_s32(x); });
}
inline Int bits_of(Vec v) {
    return each<Int>([&](int i) { return vreinterpretq_s32_f32(v.r[i]); });
}
inline Vec from_bits(Int v) {
    return each<Vec>([&](int i) { return vreinterpretq_f32_s32(v.r[i]); });
}
inline Int add_int(Int a, Int b) {
    return each<Int>([&](int i) { return vaddq_s32(a.r[i], b.r[i]); });
}
inline Int sub_int(Int a, Int b) {
    return each<Int>([&](int i) { return vsubq_s32(a.r[i], b.r[i]); });
}
template <int N>
inline Int shift_left(Int a) {
    return each<Int>([&](int i) { return vshlq_n_s32(a.r[i], N); });
}
template <int N>
inline Int shift_right(Int a) {
    return each<Int>([&](int i) {
        return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.r[i]), N));
    });
}
inline Int and_int(Int a, Int b) {
    return each<Int>([&](int i) { return vandq_s32(a.r[i], b.r[i]); });
}
inline Int load_unsigned_bytes(const uint8_t* p) {
    const uint8x16_t bytes = vld1q_u8(p);
    const uint16x8_t halves[] = {vmovl_u8(vget_low_u8(bytes)), vmovl_u8(vget_high_u8(bytes))};
    return each<Int>([&](int i) {
        const uint16x8_t half = halves[i / 2];
        return vreinterpretq_s32_u32(vmovl_u16(i % 2 ? vget_high_u16(half) : vget_low_u16(half)));
    });
}
inline Int load_signed_bytes(const uint8_t* p) {
    const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(p));
    const int16x8_t halves[] = {vmovl_s8(vget_low_s8(bytes)), vmovl_s8(vget_high_s8(bytes))};
    return each<Int>([&](int i) {
        const int16x8_t half = halves[i / 2];
        return vmovl_s16(i % 2 ? vget_high_s16(half) : vget_low_s16(half));
    });
}
inline Vec to_float(Int a) {
    return each<Vec>([&](int i) { return vcvtq_f32_s32(a.r[i]); });
}
inline void store_low_bytes(int8_t* p, Int a) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.r[0]), vmovn_s32(a.r[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(a.r[2]), vmovn_s32(a.r[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

inline float max_lane(Vec v) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.r[0], v.r[1]), vmaxq_f32(v.r[2], v.r[3])));
}
inline int32_t sum_bytes(const int8_t* p) { return vaddlvq_s8(vld1q_s8(p)); }

inline Bytes load_codes(const uint8_t* p) {
    return each<Bytes>([&](int i) { return vld1q_u8(p + 16 * i); });
}
template <int Count, int From>
inline Bytes take_bits(Bytes c) {
    const uint8x16_t mask = vdupq_n_u8((1 << Count) - 1);
    if constexpr (From == 0) {
        return each<Bytes>([&](int i) { return vandq_u8(c.r[i], mask); });
    } else {
        return each<Bytes>([&](int i) { return vandq_u8(vshrq_n_u8(c.r[i], From), mask); });
    }
}
template <int Count, int From, int To>
inline Bytes add_bits(Bytes low, Bytes c) {
    const Bytes bits = take_bits<Count, From>(c);
    return each<Bytes>([&](int i) { return vorrq_u8(low.r[i], vshlq_n_u8(bits.r[i], To)); });
}
inline Bytes look_up(const uint8_t table[16], Bytes c) {
    const uint8x16_t entries = vld1q_u8(table);
    return each<Bytes>([&](int i) { return vqtbl1q_u8(entries, c.r[i]); });
}

inline int8x16_t broadcast_four(const int8_t* four) {
    int32_t x;
    std::memcpy(&x, four, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(x));
}

// The dot product is signed by signed: for codes past 127, take 128 off and add 128 times the
// inputs back.
template <int Largest>
using Sum = Int;
template <int Largest>
inline Int start_sum(Int start) {
    return start;
}
template <int Largest, int Quad>
inline void add_quad(Int& sum, Bytes codes, const int8_t* four) {
    const int8x16_t x = broadcast_four(four);
    if constexpr (Largest > 127) {
        const int32x4_t back = vshlq_n_s32(vdotq_s32(vdupq_n_s32(0), vdupq_n_s8(1), x), 7);
        sum = each<Int>([&](int i) { return vaddq_s32(sum.r[i], back); });
        codes = each<Bytes>([&](int i) { return veorq_u8(codes.r[i], vdupq_n_u8(128)); });
    }
    sum = each<Int>([&](int i) { return vdotq_s32(sum.r[i], vreinterpretq_s8_u8(codes.r[i]), x); });
}
inline Int finish(Int sum, Int) { return sum; }

inline void prefetch([[maybe_unused]] const void* p) {
#if !defined(_MSC_VER)
    __builtin_prefetch(p, 0, 2);
#endif
}

// Attention over int8 keys and values. See simd/avx512.h.

struct SignedBytes {
    int8x16_t r[4];
};
using KeyCodes = SignedBytes;
inline KeyCodes load_key_codes(const uint8_t* p) {
    return each<SignedBytes>([&](int i) {
        return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p + 16 * i), vdupq_n_u8(128)));
    });
}
inline Int begin_products(int32_t) { return set_int(0); }
inline Int add_products(Int sum, KeyCodes keys, const int8_t* four) {
    const int8x16_t x = broadcast_four(four);
    return each<Int>([&](int i) { return vdotq_s32(sum.r[i], keys.r[i], x); });
}

inline void store_fine(uint8_t* p, Int weights) {
    const Int high = each<Int>([&](int i) { return vshrq_n_s32(weights.r[i], 7); });
    const Int low = each<Int>([&](int i) { return vandq_s32(weights.r[i], vdupq_n_s32(127)); });
    store_low_bytes(reinterpret_cast<int8_t*>(p), high);
    store_low_bytes(reinterpret_cast<int8_t*>(p + 16), low);
}
using ValueCodes = SignedBytes;
inline ValueCodes load_value_codes(const uint8_t* p) {
    return each<SignedBytes>([&](int i) { return vreinterpretq_s8_u8(vld1q_u8(p + 16 * i)); });
}
template <int Part>
inline Int add_fine(Int sum, ValueCodes values, const uint8_t* weights, int quad) {
    return add_products(sum, values,
                        reinterpret_cast<const int8_t*>(weights) + 16 * Part + 4 * quad);
}
inline Int join_fine(Int high, Int low) { return add_int(shift_left<7>(high), low); }

}  // namespace
