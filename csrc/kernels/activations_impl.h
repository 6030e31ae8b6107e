// Activations: f(gate), and times `up` where there is one. See kernels_impl.h.
#pragma once

#include "kernels/elementwise_impl.h"

namespace foretell {
namespace {

// out[i] = f(gate[i]) (* up[i]), sixteen at a time.
template <class F>
inline void activate(const float* gate, const float* up, int64_t size, float* out, F f) {
    for (int64_t i = 0; i < size; i += kLanes) {
        Vec result = f(load_up_to(gate + i, size - i));
        if (up) result = mul(result, load_up_to(up + i, size - i));
        store_up_to(out + i, result, size - i);
    }
}

inline Vec sigmoid_lanes(Vec x) {
    return div(set(1.0f), add(set(1.0f), exp_lanes(sub(set(0.0f), x))));
}

void silu(const float* gate, const float* up, int64_t size, float* out) {
    activate(gate, up, size, out,
             [](Vec g) { return div(g, add(set(1.0f), exp_lanes(sub(set(0.0f), g)))); });
}

void sigmoid(const float* gate, const float* up, int64_t size, float* out) {
    // e^x that is clamped would hide NaN.
    activate(gate, up, size, out, [](Vec g) { return fma(g, set(0.0f), sigmoid_lanes(g)); });
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x³).
void gelu(const float* gate, const float* up, int64_t size, float* out) {
    const Vec linear = set(-1.59576912f), cubic = set(-0.0713548162f);  // of -2u
    activate(gate, up, size, out, [&](Vec g) {
        const Vec exponent = mul(g, fma(mul(g, g), cubic, linear));
        return div(g, add(set(1.0f), exp_lanes(exponent)));
    });
}

// The normal distribution's mass beyond t ≥ 0: e^(-t²/2) Q(1 / (1 + t / 4)). Q is a polynomial of
// degree 9 within 1.3e-8 of the quotient, relatively, for t up to 13.5.
inline Vec normal_tail(Vec t) {
    const Vec k = div(set(1.0f), fma(t, set(0.25f), set(1.0f)));
    Vec q = set(0.03447722f);
    constexpr float kNext[] = {-0.19904239f, 0.40170889f, -0.34238914f, 0.3119009f,    -0.02437265f,
                               0.12295498f,  0.0945199f,  0.10026572f,  -2.3531432e-5f};
    for (const float c : kNext) q = fma(q, k, set(c));
    return mul(exp_lanes(mul(mul(t, t), set(-0.5f))), q);
}

// x times the normal distribution's mass below x.
void gelu_erf(const float* gate, const float* up, int64_t size, float* out) {
    activate(gate, up, size, out, [](Vec g) {
        const Vec rest = mul(g, normal_tail(abs(g)));
        return select_below(g, set(0.0f), rest, sub(g, rest));
    });
}

void relu(const float* gate, const float* up, int64_t size, float* out) {
    activate(gate, up, size, out, [](Vec g) { return max(set(0.0f), g); });
}

void relu_squared(const float* gate, const float* up, int64_t size, float* out) {
    activate(gate, up, size, out, [](Vec g) {
        const Vec positive = max(set(0.0f), g);
        return mul(positive, positive);
    });
}

// As gpt-oss has it: gate up to 7, up from -7 to 7; gate / (1 + e^-1.702 gate) * (up + 1).
void clamped_swiglu(const float* gate, const float* up, int64_t size, float* out) {
    const Vec limit = set(7.0f), one = set(1.0f);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec given = load_up_to(gate + i, size - i), factor = load_up_to(up + i, size - i);
        const Vec g = min(given, limit), u = max(min(factor, limit), set(-7.0f));
        const Vec unit = div(g, add(one, exp_lanes(mul(g, set(-1.702f)))));
        // What is clamped would hide NaN.
        const Vec unseen = mul(mul(given, set(0.0f)), mul(factor, set(0.0f)));
        store_up_to(out + i, fma(unit, add(u, one), unseen), size - i);
    }
}

// e^x - 1 - x for x ≤ 0: near 0, where these cancel, by the series from x² / 2 on.
inline Vec exp_remainder(Vec x) {
    Vec p = set(1.0f / 40320);
    constexpr float kNext[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f};
    for (const float c : kNext) p = fma(p, x, set(c));
    const Vec far = sub(sub(exp_lanes(x), set(1.0f)), x);
    return select_below(x, set(-0.5f), far, mul(mul(x, x), p));
}

void xielu(const float* x, const float* constants, int64_t size, float* out) {
    const Vec positive = set(constants[0]), negative = set(constants[1] + constants[2]);
    const Vec slope = set(constants[2]), nearest = set(constants[3]);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec v = load_up_to(x + i, size - i), capped = min(v, nearest);
        const Vec below = add(exp_remainder(capped), sub(capped, v));
        const Vec bent = select_below(set(0.0f), v, mul(mul(v, v), positive), mul(below, negative));
        store_up_to(out + i, fma(v, slope, bent), size - i);
    }
}

// residual + sigmoid(gate) * x; gate is one for all.
void add_gated(const float* residual, float gate, const float* x, int64_t size, float* out) {
    float share;
    const float one = 1.0f;
    sigmoid(&gate, &one, 1, &share);
    for (int64_t i = 0; i < size; i += kLanes) {
        const Vec sum = load_up_to(residual + i, size - i);
        store_up_to(out + i, fma(set(share), load_up_to(x + i, size - i), sum), size - i);
    }
}

}  // namespace
}  // namespace foretell
