// Sixteen lanes on AVX2 with FMA and F16C: two registers each. See simd/avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

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
inline __m256 widen_e4m3(__m128i bytes) {
    const __m128i wide = _mm_slli_epi16(_mm_cvtepi8_epi16(bytes), 7);
    return _mm256_cvtph_ps(_mm_and_si128(wide, _mm_set1_epi16(static_cast<short>(0xbfff))));
}
inline Vec load_e4m3(const uint8_t* p) {
    const __m128i bytes = load_128(p);
    return {widen_e4m3(bytes), widen_e4m3(_mm_srli_si128(bytes, 8))};
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
template <int N>
inline Int shift_right(Int x) {
    return {_mm256_srli_epi32(x.a, N), _mm256_srli_epi32(x.b, N)};
}
inline Int and_int(Int x, Int y) {
    return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
inline Int load_unsigned_bytes(const uint8_t* p) {
    const __m128i bytes = load_128(p);
    return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline Int load_signed_bytes(const uint8_t* p) {
    const __m128i bytes = load_128(p);
    return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
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
template <int Count, int From>
inline Bytes take_bits(Bytes c) {
    const __m256i mask = _mm256_set1_epi8((1 << Count) - 1);
    return {_mm256_and_si256(_mm256_srli_epi16(c.a, From), mask),
            _mm256_and_si256(_mm256_srli_epi16(c.b, From), mask)};
}
template <int Count, int From, int To>
inline __m256i add_bits(__m256i low, __m256i c) {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(((1 << Count) - 1) << To));
    if constexpr (From > To) c = _mm256_srli_epi16(c, From - To);
    if constexpr (From < To) c = _mm256_slli_epi16(c, To - From);
    return _mm256_or_si256(low, _mm256_and_si256(c, mask));
}
template <int Count, int From, int To>
inline Bytes add_bits(Bytes low, Bytes c) {
    return {add_bits<Count, From, To>(low.a, c.a), add_bits<Count, From, To>(low.b, c.b)};
}
inline Bytes look_up(const uint8_t table[16], Bytes c) {
    const __m256i entries = _mm256_broadcastsi128_si256(load_128(table));
    return {_mm256_shuffle_epi8(entries, c.a), _mm256_shuffle_epi8(entries, c.b)};
}

inline __m256i broadcast_four(const int8_t* four) {
    int32_t x;
    std::memcpy(&x, four, 4);
    return _mm256_set1_epi32(x);
}

// How many quads sixteen bits hold: each adds at most 2 * largest * 127. A group has up to 8.
constexpr int quads_in_sixteen_bits(int largest) { return 32767 / (2 * 127 * largest); }

// Sixteen-bit sums of neighbours.
struct PairSum {
    __m256i a, b;
};
inline PairSum multiply(Bytes codes, const int8_t* four) {
    const __m256i x = broadcast_four(four);
    return {_mm256_maddubs_epi16(codes.a, x), _mm256_maddubs_epi16(codes.b, x)};
}
inline PairSum add_pairs(PairSum x, PairSum y) {
    return {_mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b)};
}
inline Int widen(PairSum sum, int16_t times = 1) {
    const __m256i factor = _mm256_set1_epi16(times);
    return {_mm256_madd_epi16(sum.a, factor), _mm256_madd_epi16(sum.b, factor)};
}

// Sums of codes so small that a whole group fits.
struct SmallSum {
    PairSum pairs;
};
template <int, int Quad>
inline void add_quad(SmallSum& sum, Bytes codes, const int8_t* four) {
    const PairSum pairs = multiply(codes, four);
    sum.pairs = Quad == 0 ? pairs : add_pairs(sum.pairs, pairs);
}
inline Int finish(SmallSum sum, Int more) { return add_int(widen(sum.pairs), more); }

// Of codes of which a few fit: 1, 2 or 4, so that none are left over at the end.
struct WideSum {
    PairSum pairs;
    Int total;
};
template <int Largest, int Quad>
inline void add_quad(WideSum& sum, Bytes codes, const int8_t* four) {
    constexpr int kFit = quads_in_sixteen_bits(Largest), kRun = kFit >= 4 ? 4 : kFit >= 2 ? 2 : 1;
    const PairSum pairs = multiply(codes, four);
    sum.pairs = Quad % kRun == 0 ? pairs : add_pairs(sum.pairs, pairs);
    if constexpr (Quad % kRun == kRun - 1) {
        sum.total = Quad < kRun ? widen(sum.pairs) : add_int(sum.total, widen(sum.pairs));
    }
}
inline Int finish(WideSum sum, Int more) { return add_int(sum.total, more); }

// Of codes past 127, whose pairs would overflow: low and high nibbles apart, 255 = 15 + 15 * 16.
struct ByteSum {
    PairSum low, high;
};
template <int, int Quad>
inline void add_quad(ByteSum& sum, Bytes codes, const int8_t* four) {
    const PairSum low = multiply(take_bits<4, 0>(codes), four);
    const PairSum high = multiply(take_bits<4, 4>(codes), four);
    sum.low = Quad == 0 ? low : add_pairs(sum.low, low);
    sum.high = Quad == 0 ? high : add_pairs(sum.high, high);
}
inline Int finish(ByteSum sum, Int more) {
    return add_int(add_int(widen(sum.low), widen(sum.high, 16)), more);
}

template <int Largest>
using Sum =
    std::conditional_t<quads_in_sixteen_bits(Largest) >= 8, SmallSum,
                       std::conditional_t<quads_in_sixteen_bits(Largest) >= 1, WideSum, ByteSum>>;
template <int Largest>
inline Sum<Largest> start_sum(Int) {
    return Sum<Largest>{};
}

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

// Attention over int8 keys and values. See simd/avx512.h.

using KeyCodes = Bytes;  // signed
inline KeyCodes load_key_codes(const uint8_t* p) {
    const Bytes codes = load_codes(p);
    const __m256i offset = _mm256_set1_epi8(-128);
    return {_mm256_xor_si256(codes.a, offset), _mm256_xor_si256(codes.b, offset)};
}
inline Int begin_products(int32_t) { return set_int(0); }
// |q| times keys with q's sign: a pair adds at most 2 * 127 * 128, which sixteen bits hold.
inline __m256i add_signed_products(__m256i sum, __m256i keys, __m256i query) {
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_abs_epi8(query), _mm256_sign_epi8(keys, query));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
inline Int add_products(Int sum, KeyCodes keys, const int8_t* four) {
    const __m256i query = broadcast_four(four);
    return {add_signed_products(sum.a, keys.a, query), add_signed_products(sum.b, keys.b, query)};
}

inline void store_fine(uint8_t* p, Int weights) {
    const __m256i mixed = _mm256_packus_epi32(weights.a, weights.b);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(mixed, 0xd8));
}
struct ValueCodes {
    __m256i r[4];  // sixteen bits each
};
inline ValueCodes load_value_codes(const uint8_t* p) {
    return {{_mm256_cvtepi8_epi16(load_128(p)), _mm256_cvtepi8_epi16(load_128(p + 16)),
             _mm256_cvtepi8_epi16(load_128(p + 32)), _mm256_cvtepi8_epi16(load_128(p + 48))}};
}
// A part is eight dimensions, two sums each, of two positions.
template <int Part>
inline Int add_fine(Int sum, ValueCodes values, const uint8_t* weights, int quad) {
    int64_t four;
    std::memcpy(&four, weights + 8 * quad, 8);
    const __m256i w = _mm256_set1_epi64x(four);
    return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(values.r[2 * Part], w)),
            _mm256_add_epi32(sum.b, _mm256_madd_epi16(values.r[2 * Part + 1], w))};
}
inline __m256i add_neighbours(Int x) {
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(x.a, x.b), 0xd8);
}
inline Int join_fine(Int first, Int second) {
    return {add_neighbours(first), add_neighbours(second)};
}

}  // namespace
