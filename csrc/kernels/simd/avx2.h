// Sixteen lanes on AVX2 with FMA and F16C: two registers each. See simd/avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr int kMaxColumns = 4;
constexpr int kSums = 6;

struct Vec {
    __m256 a, b;
};
struct Int {
    __m256i a, b;
};
using Bytes = Int;

inline Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Vec v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
}
inline Vec set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Vec add(Vec x, Vec y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline Vec sub(Vec x, Vec y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline Vec mul(Vec x, Vec y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline Vec div(Vec x, Vec y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
inline Vec fma(Vec x, Vec y, Vec z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline Vec max(Vec x, Vec y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline Vec min(Vec x, Vec y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
inline Vec abs(Vec x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
inline Vec select_below(Vec x, Vec bound, Vec yes, Vec no) {
    return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, bound.a, _CMP_LT_OQ)),
            _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, bound.b, _CMP_LT_OQ))};
}

inline __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline Vec load_half(const uint16_t* p) {
    return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 8))};
}
inline void store_half(uint16_t* p, Vec v) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v.a, kNearest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(v.b, kNearest));
}
inline __m256 widen_bfloat16(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline Vec load_bfloat16(const uint16_t* p) {
    return {widen_bfloat16(load_128(p)), widen_bfloat16(load_128(p + 8))};
}
inline Vec load_unsigned_bytes(const uint8_t* p) {
    const __m128i bytes = load_128(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}

inline Int set_int(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
inline Int bits_of(Vec v) { return {_mm256_castps_si256(v.a), _mm256_castps_si256(v.b)}; }
inline Vec from_bits(Int v) { return {_mm256_castsi256_ps(v.a), _mm256_castsi256_ps(v.b)}; }
inline Int add_int(Int x, Int y) {
    return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
inline Int sub_int(Int x, Int y) {
    return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
template <int N>
inline Int shift_left(Int x) {
    return {_mm256_slli_epi32(x.a, N), _mm256_slli_epi32(x.b, N)};
}
inline Vec to_float(Int x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
inline void store_low_bytes(int8_t* p, Int x) {
    const __m256i pick =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i join = _mm256_setr_epi32(0, 4, 1, 1, 1, 1, 1, 1);
    const __m256i halves[] = {x.a, x.b};
    for (const __m256i half : halves) {
        const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(half, pick), join);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bytes));
        p += 8;
    }
}

inline float max_lane(Vec v) {
    const __m256 eight = _mm256_max_ps(v.a, v.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
inline int32_t sum_bytes(const int8_t* p) {
    const __m128i bytes = _mm_xor_si128(load_128(p), _mm_set1_epi8(-128));
    const __m128i sums = _mm_sad_epu8(bytes, _mm_setzero_si128());
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

inline Bytes load_codes(const uint8_t* p) {
    const __m256i* q = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline Bytes low_nibbles(Bytes c) {
    const __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(c.a, mask), _mm256_and_si256(c.b, mask)};
}
inline Bytes high_nibbles(Bytes c) {
    return low_nibbles({_mm256_srli_epi16(c.a, 4), _mm256_srli_epi16(c.b, 4)});
}

inline __m256i broadcast_four(const int8_t* four) {
    int32_t x;
    std::memcpy(&x, four, 4);
    return _mm256_set1_epi32(x);
}

// Sixteen-bit sums: a pair adds at most 2 * 15 * 127, so the 8 quads of a group fit.
struct NibbleSum {
    __m256i a, b;
};
inline __m256i add_pairs(__m256i sum, __m256i codes, __m256i x) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, x));
}
inline NibbleSum dot_nibbles(NibbleSum sum, Bytes codes, const int8_t* four) {
    const __m256i x = broadcast_four(four);
    return {add_pairs(sum.a, codes.a, x), add_pairs(sum.b, codes.b, x)};
}
inline Int finish(NibbleSum sum) {
    const __m256i ones = _mm256_set1_epi16(1);
    return {_mm256_madd_epi16(sum.a, ones), _mm256_madd_epi16(sum.b, ones)};
}

// Pairs of bytes up to 255 would overflow: low and high nibbles apart, 255 = 15 + 15 * 16.
struct ByteSum {
    NibbleSum low, high;
};
inline ByteSum dot_bytes(ByteSum sum, Bytes codes, const int8_t* four) {
    return {dot_nibbles(sum.low, low_nibbles(codes), four),
            dot_nibbles(sum.high, high_nibbles(codes), four)};
}
inline Int finish(ByteSum sum) {
    const Int low = finish(sum.low);
    const __m256i sixteens = _mm256_set1_epi16(16);
    return {_mm256_add_epi32(low.a, _mm256_madd_epi16(sum.high.a, sixteens)),
            _mm256_add_epi32(low.b, _mm256_madd_epi16(sum.high.b, sixteens))};
}

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

}  // namespace
