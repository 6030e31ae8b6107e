// Sixteen lanes on AVX-512 with VNNI: one register each.
//
// Every simd/*.h defines the same names with the same results, bit for bit; the kernels are written
// once on top of them (kernels_impl.h) and compiled once for each instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr int kMaxColumns = 8;  // token columns that one pass over a row block serves
constexpr int kSums = 24;       // running sums of attention that stay in registers

using Vec = __m512;     // 16 float32
using Int = __m512i;    // 16 int32
using Bytes = __m512i;  // 64 bytes: 16 rows x 4 consecutive inputs, unsigned

inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec set(float x) { return _mm512_set1_ps(x); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec abs(Vec a) { return _mm512_abs_ps(a); }

// bound > x ? a : b, lane by lane (b where x is NaN).
inline Vec select_below(Vec x, Vec bound, Vec a, Vec b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, bound, _CMP_LT_OQ), b, a);
}

inline Vec load_half(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void store_half(uint16_t* p, Vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Vec load_bfloat16(const uint16_t* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// A 256th of 16 floats of 4 bits of exponent and 3 of fraction: as halves, whose exponents count
// from 8 lower. Signs come along as bytes are widened.
inline Vec load_e4m3(const uint8_t* p) {
    const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m256i mask = _mm256_set1_epi16(static_cast<short>(0xbfff));
    return _mm512_cvtph_ps(_mm256_and_si256(_mm256_slli_epi16(wide, 7), mask));
}

inline Int set_int(int32_t x) { return _mm512_set1_epi32(x); }
inline Int bits_of(Vec v) { return _mm512_castps_si512(v); }
inline Vec from_bits(Int v) { return _mm512_castsi512_ps(v); }
inline Int add_int(Int a, Int b) { return _mm512_add_epi32(a, b); }
inline Int sub_int(Int a, Int b) { return _mm512_sub_epi32(a, b); }
template <int N>
inline Int shift_left(Int a) {
    return _mm512_slli_epi32(a, N);
}
template <int N>
inline Int shift_right(Int a) {
    return _mm512_srli_epi32(a, N);
}
inline Int and_int(Int a, Int b) { return _mm512_and_si512(a, b); }
// Sixteen bytes, each in a lane of its own.
inline Int load_unsigned_bytes(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Int load_signed_bytes(const uint8_t* p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec to_float(Int a) { return _mm512_cvtepi32_ps(a); }
// The low byte of each lane.
inline void store_low_bytes(int8_t* p, Int a) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
}

inline float max_lane(Vec v) { return _mm512_reduce_max_ps(v); }
// The sum of 16 signed bytes.
inline int32_t sum_bytes(const int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i sums =
        _mm_sad_epu8(_mm_xor_si128(bytes, _mm_set1_epi8(-128)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(sums) + _mm_extract_epi16(sums, 4) - 16 * 128;
}

inline Bytes load_codes(const uint8_t* p) { return _mm512_loadu_si512(p); }
// In each byte, the `Count` bits of c from bit `From` on.
template <int Count, int From>
inline Bytes take_bits(Bytes c) {
    return _mm512_and_si512(_mm512_srli_epi16(c, From), _mm512_set1_epi8((1 << Count) - 1));
}
// The same bits, put into `low` from bit `To` on.
template <int Count, int From, int To>
inline Bytes add_bits(Bytes low, Bytes c) {
    const Bytes mask = _mm512_set1_epi8(static_cast<char>(((1 << Count) - 1) << To));
    Bytes moved = c;
    if constexpr (From > To) moved = _mm512_srli_epi16(c, From - To);
    if constexpr (From < To) moved = _mm512_slli_epi16(c, To - From);
    return _mm512_ternarylogic_epi32(low, moved, mask, 0xf8);  // low | (moved & mask)
}
// The table's entry for each byte, 0 to 15.
inline Bytes look_up(const uint8_t table[16], Bytes c) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), c);
}

// Sums of the products of a group's codes, which are `Largest` at most, and of what they start
// with: add the quads 0, 1, ... with add_quad, then finish() to int32 lanes.
template <int Largest>
using Sum = Int;
template <int Largest>
inline Int start_sum(Int start) {
    return start;
}
template <int Largest, int Quad>
inline void add_quad(Int& sum, Bytes codes, const int8_t* four) {
    int32_t x;
    std::memcpy(&x, four, 4);
    sum = _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(x));
}
inline Int finish(Int sum, Int) { return sum; }

// Asks for the cache line at p, which need not be readable, into the second-level cache: the first
// is full of what is in use.
inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

// Attention over int8 keys and values.

// Sums of a key's products with a query's codes, sixteen positions side by side: add four products
// a lane. Keys are kept plus 128, as unsigned bytes.
using KeyCodes = Bytes;
inline KeyCodes load_key_codes(const uint8_t* p) { return load_codes(p); }
inline Int begin_products(int32_t sum_of_query) { return set_int(-128 * sum_of_query); }
inline Int add_products(Int sum, KeyCodes keys, const int8_t* four) {
    add_quad<255, 0>(sum, keys, four);
    return sum;
}

// Sixteen weights of 14 bits each, as 32 bytes from p on, in whatever order add_fine takes them.
inline void store_fine(uint8_t* p, Int weights) {
    const Int low = _mm512_and_si512(weights, set_int(127));
    store_low_bytes(reinterpret_cast<int8_t*>(p), _mm512_srli_epi32(weights, 7));
    store_low_bytes(reinterpret_cast<int8_t*>(p + 16), low);
}
// Sums of weights times values, sixteen dimensions side by side, in two parts: add four positions,
// numbers 4 * quad … 4 * quad + 3 of the sixteen whose weights are given.
using ValueCodes = Bytes;
inline ValueCodes load_value_codes(const uint8_t* p) { return load_codes(p); }
template <int Part>
inline Int add_fine(Int sum, ValueCodes values, const uint8_t* weights, int quad) {
    int32_t four;
    std::memcpy(&four, weights + 16 * Part + 4 * quad, 4);
    return _mm512_dpbusd_epi32(sum, set_int(four), values);
}
inline Int join_fine(Int high, Int low) { return add_int(shift_left<7>(high), low); }

}  // namespace
