// Norms, quantization: what works on one row of activations. See kernels_impl.h.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"

namespace foretell {
namespace {

constexpr int kLanes = 16;

// The sum of the lanes goes through one fixed tree.
inline float reduce_add(Vec v) {
    float lane[kLanes];
    store(lane, v);
    for (int half = kLanes / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    return lane[0];
}

inline Vec load_up_to(const float* p, int64_t count) {
    if (count >= kLanes) return load(p);
    float lane[kLanes] = {};
    for (int64_t i = 0; i < count; ++i) lane[i] = p[i];
    return load(lane);
}
inline void store_up_to(float* p, Vec v, int64_t count) {
    if (count >= kLanes) return store(p, v);
    float lane[kLanes];
    store(lane, v);
    for (int64_t i = 0; i < count; ++i) p[i] = lane[i];
}

// x + kRound has x, rounded to the nearest integer (ties to even), in its low bits.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

// e^x by 2^n * p(r), n = round(x / ln 2), |r| ≤ ln 2 / 2; p is the Taylor polynomial of degree 7.
// Below -87 the result is 0; above 88 it is e^88.
inline Vec exp_lanes(Vec x) {
    const Vec low = set(-87.0f);
    const Vec clamped = max(min(x, set(88.0f)), low);
    const Vec shifted = fma(clamped, set(1.44269504f), set(kRound));
    const Vec n = sub(shifted, set(kRound));
    Vec r = fma(n, set(-0.693359375f), clamped);  // ln 2 in two parts
    r = fma(n, set(2.12194440e-4f), r);
    Vec p = set(1.0f / 5040);
    constexpr float kNext[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (const float c : kNext) {
        p = fma(p, r, set(c));
    }
    const Int exponent = shift_left<23>(add_int(bits_of(shifted), set_int(127 - 0x4b400000)));
    return select_below(x, low, set(0.0f), mul(p, from_bits(exponent)));
}

// Below 0.7 x + x³ P(x²), P a polynomial of degree 4 that makes an error of 1.6e-8, relatively;
// beyond it 1 - 2 / (1 + e^2|x|) with x's sign. NaN where x is not finite.
inline Vec tanh_lanes(Vec x) {
    const Vec square = mul(x, x), size = abs(x);
    Vec p = set(-5.1386043e-3f);
    constexpr float kNext[] = {2.0091908e-2f, -5.3558839e-2f, 0.1332911f, -0.3333319f};
    for (const float c : kNext) p = fma(p, square, set(c));
    const Vec small = fma(mul(x, square), p, x);
    const Vec rest = div(set(2.0f), add(set(1.0f), exp_lanes(add(size, size))));
    const Int sign = and_int(bits_of(x), set_int(INT32_MIN));
    const Vec large = from_bits(add_int(bits_of(sub(set(1.0f), rest)), sign));
    return select_below(size, set(0.7f), small, fma(x, set(0.0f), large));
}

// cap * tanh(x / cap), of all lanes.
inline Vec softcap_lanes(Vec x, Vec cap) { return mul(cap, tanh_lanes(div(x, cap))); }

void softcap(const float* x, float cap, int64_t size, float* out) {
    for (int64_t i = 0; i < size; i += kLanes) {
        store_up_to(out + i, softcap_lanes(load_up_to(x + i, size - i), set(cap)), size - i);
    }
}

// 1 / sqrt(mean + eps), of squares; NaN, which is seen, where their sum is not finite. 0, as of
// infinity, would hide an overflow: all rows would be zeros.
inline float inverse_root(float mean, float eps) {
    if (!std::isfinite(mean)) return std::numeric_limits<float>::quiet_NaN();
    return 1.0f / std::sqrt(mean + eps);
}

inline float sum_of_squares(const float* x, int64_t size) {
    Vec sum = set(0.0f);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec v = load_up_to(x + i, size - i);
        sum = fma(v, v, sum);
    }
    return reduce_add(sum);
}

void rms_norm(const float* x, const float* weight, const float* residual, float eps, int64_t size,
              float* out) {
    const float inverse = inverse_root(sum_of_squares(x, size) / static_cast<float>(size), eps);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec v = mul(load_up_to(x + i, size - i), set(inverse));
        Vec scaled = mul(v, load_up_to(weight + i, size - i));
        if (residual) scaled = add(load_up_to(residual + i, size - i), scaled);
        store_up_to(out + i, scaled, size - i);
    }
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t size,
                float* out) {
    Vec sum = set(0.0f), squares = set(0.0f);
    for (int64_t i = 0; i < size; i += kLanes) sum = add(sum, load_up_to(x + i, size - i));
    const Vec mean = set(reduce_add(sum) / static_cast<float>(size));
    for (int64_t i = 0; i < size; i += kLanes) {
        store_up_to(out + i, sub(load_up_to(x + i, size - i), mean), size - i);
        const Vec centred = load_up_to(out + i, size - i);
        squares = fma(centred, centred, squares);
    }
    const float variance = reduce_add(squares) / static_cast<float>(size);
    const Vec inverse = set(inverse_root(variance, eps));
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec v = mul(load_up_to(out + i, size - i), inverse);
        const Vec scaled = fma(v, load_up_to(weight + i, size - i), load_up_to(bias + i, size - i));
        store_up_to(out + i, scaled, size - i);
    }
}

// x ≈ scale * code, scale = max|x| / 127 over the group.
inline void quantize_group(const float* x, QuantizedGroup& out) {
    const Vec a = load(x), b = load(x + kLanes);
    const float largest = max_lane(max(abs(a), abs(b)));
    const Vec inverse = set(largest > 0 ? 127.0f / largest : 0.0f);
    const Vec low = set(-127.0f), high = set(127.0f), round = set(kRound);
    store_low_bytes(out.codes, bits_of(add(max(min(mul(a, inverse), high), low), round)));
    store_low_bytes(out.codes + kLanes, bits_of(add(max(min(mul(b, inverse), high), low), round)));
    out.scale = largest / 127.0f;
    const int32_t first = sum_bytes(out.codes), sum = first + sum_bytes(out.codes + kLanes);
    out.minus_half_sum = -first;
    out.minus_sum = -sum;
    out.scaled_sum = out.scale * static_cast<float>(sum);
}

void quantize(const float* x, int64_t size, QuantizedGroup* out) {
    for (int64_t g = 0; g < size / kGroup; ++g) quantize_group(x + g * kGroup, out[g]);
}

}  // namespace
}  // namespace foretell
