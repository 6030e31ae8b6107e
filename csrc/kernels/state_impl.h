// Recurrent layers: causal convolutions, selective scans and delta rules, sixteen channels side by
// side. Each token is computed from the state before it by the same operations, however tokens are
// cut into runs. See kernels_impl.h.
#pragma once

#include <cstring>

#include "kernels/activations_impl.h"
#include "kernels/inline.h"

namespace foretell {
namespace {

// log(1 + e^x) as max(x, 0) + log(1 + u), u = e^-|x|; log(1 + u) = 2 artanh(s), s = u / (2 + u), by
// the first eight terms of its series, which suffice for s ≤ 1/3. NaN stays NaN.
inline Vec softplus_lanes(Vec x) {
    const Vec u = exp_lanes(sub(set(0.0f), abs(x)));
    const Vec s = div(u, add(set(2.0f), u)), square = mul(s, s);
    Vec p = set(1.0f / 15);
    constexpr float kNext[] = {1.0f / 13, 1.0f / 11, 1.0f / 9, 1.0f / 7, 0.2f, 1.0f / 3, 1.0f};
    for (const float c : kNext) {
        p = fma(p, square, set(c));
    }
    const Vec above = add(max(x, set(0.0f)), mul(x, set(0.0f)));
    return fma(add(s, s), p, above);
}

// The state before a run's first token, in the memory of the state after its last.
inline void begin_state(const float* source, float* target, int64_t size) {
    if (!source) {
        std::memset(target, 0, size * sizeof(float));
    } else if (source != target) {
        std::memcpy(target, source, size * sizeof(float));
    }
}

void convolve_tile(const ConvTask& t, int64_t tile) {
    const int64_t last = t.taps - 1, channel = tile * kLanes;
    const float* weights = t.weights + tile * t.taps * kLanes;
    float* past = t.target + tile * last * kLanes;
    begin_state(t.source ? t.source + tile * last * kLanes : nullptr, past, last * kLanes);
    const Vec bias = t.bias ? load(t.bias + channel) : set(0.0f);
    for (int64_t n = 0; n < t.tokens; ++n) {
        const int64_t at = n * t.stride + channel;
        Vec x = load(t.x + at);
        if (t.gate) x = mul(load(t.gate + at), x);
        Vec sum = bias;
        for (int64_t k = 0; k < last; ++k) {
            const Vec before = load(past + k * kLanes);
            sum = fma(load(weights + k * kLanes), before, sum);
            if (k > 0) store(past + (k - 1) * kLanes, before);
        }
        sum = fma(load(weights + last * kLanes), x, sum);
        if (last > 0) store(past + (last - 1) * kLanes, x);
        if (t.factor) {
            sum = mul(load(t.factor + at), sum);
        } else {
            sum = div(sum, add(set(1.0f), exp_lanes(sub(set(0.0f), sum))));
        }
        store(t.y + at, sum);
    }
}

void causal_conv(const ConvTask& t) {
    for (int64_t tile = t.tile_begin; tile < t.tile_end; ++tile) convolve_tile(t, tile);
}

constexpr int kSums = 4;  // side by side, so that none waits for the one before it

inline Vec add_up(const Vec (&sums)[kSums]) {
    return add(add(sums[0], sums[1]), add(sums[2], sums[3]));
}

// h = h · decay(k) + dx · B[k], and C · h, for the components k of sixteen channels' states.
template <class Decay>
FORETELL_INLINE Vec advance(float* h, int64_t size, Vec dx, const float* b, const float* c,
                            Vec start, Decay decay) {
    Vec sums[kSums] = {start, set(0.0f), set(0.0f), set(0.0f)};
    const auto next = [&](int64_t k, Vec& sum) {
        const Vec moved = fma(load(h + k * kLanes), decay(k), mul(dx, set(b[k])));
        store(h + k * kLanes, moved);
        sum = fma(moved, set(c[k]), sum);
    };
    int64_t k = 0;
    for (; k + kSums <= size; k += kSums) {
        unrolled<kSums>([&](int i) { next(k + i, sums[i]); });
    }
    for (; k < size; ++k) next(k, sums[0]);
    return add_up(sums);
}

void scan_tile(const ScanTask& t, int64_t tile) {
    const int64_t channel = tile * kLanes, size = t.state_size;
    const int64_t group = channel / t.group_channels * size;
    float* h = t.target + channel * size;
    begin_state(t.source ? t.source + channel * size : nullptr, h, size * kLanes);
    const float* rates = t.rates + channel * (t.shares_rates ? 1 : size);
    const Vec skip = load(t.skip + channel), bias = load(t.step_bias + channel);
    for (int64_t n = 0; n < t.tokens; ++n) {
        const float* steps = t.steps + n * t.steps_stride;
        const Vec x = load(t.x + n * t.x_stride + channel);
        const Vec given =
            t.head_dim == 1 ? load(steps + channel) : set(steps[channel / t.head_dim]);
        const Vec step = softplus_lanes(add(given, bias));
        const float* b = t.b + n * t.bc_stride + group;
        const float* c = t.c + n * t.bc_stride + group;
        const Vec dx = mul(step, x), start = mul(x, skip);
        Vec y;
        if (t.shares_rates) {
            const Vec decay = exp_lanes(mul(step, load(rates)));
            y = advance(h, size, dx, b, c, start, [&](int64_t) { return decay; });
        } else {
            y = advance(h, size, dx, b, c, start,
                        [&](int64_t k) { return exp_lanes(mul(step, load(rates + k * kLanes))); });
        }
        store(t.y + n * t.y_stride + channel, y);
    }
}

void selective_scan(const ScanTask& t) {
    for (int64_t tile = t.tile_begin; tile < t.tile_end; ++tile) scan_tile(t, tile);
}

// C · h for sixteen channels.
inline Vec recall(const float* h, int64_t size, const float* c) {
    Vec sums[kSums] = {set(0.0f), set(0.0f), set(0.0f), set(0.0f)};
    int64_t k = 0;
    for (; k + kSums <= size; k += kSums) {
        unrolled<kSums>(
            [&](int i) { sums[i] = fma(load(h + (k + i) * kLanes), set(c[k + i]), sums[i]); });
    }
    for (; k < size; ++k) sums[0] = fma(load(h + k * kLanes), set(c[k]), sums[0]);
    return add_up(sums);
}

// What brings a query or a key to length 1.
inline Vec inverse_length(const float* x, int64_t size) {
    return set(inverse_root(sum_of_squares(x, size), 1e-6f));
}

void delta_tile(const DeltaTask& t, int64_t tile) {
    const int64_t channel = tile * kLanes, size = t.state_size, head = channel / t.head_dim;
    const int64_t shared = t.takes_turns ? head % t.key_heads : head / (t.heads / t.key_heads);
    float* h = t.target + channel * size;
    begin_state(t.source ? t.source + channel * size : nullptr, h, size * kLanes);
    const Vec rate = load(t.rates + channel), bias = load(t.step_bias + channel);
    const Vec scale = set(1.0f / std::sqrt(static_cast<float>(size)));
    for (int64_t n = 0; n < t.tokens; ++n) {
        const float* q = t.q + n * t.x_stride + shared * size;
        const float* k = t.k + n * t.x_stride + shared * size;
        const Vec step = softplus_lanes(add(set(t.steps[n * t.steps_stride + head]), bias));
        // e^x that is clamped would hide NaN.
        const Vec decay = fma(step, set(0.0f), exp_lanes(mul(step, rate)));
        const Vec given = set(t.strengths[n * t.strengths_stride + head]);
        const Vec strength = fma(given, set(0.0f), sigmoid_lanes(given));
        const Vec to_unit = inverse_length(k, size);
        const Vec recalled = mul(mul(decay, to_unit), recall(h, size, k));
        const Vec missing = sub(load(t.v + n * t.x_stride + channel), recalled);
        const Vec change = mul(mul(strength, to_unit), missing);
        const Vec sum = advance(h, size, change, k, q, set(0.0f), [&](int64_t) { return decay; });
        store(t.y + n * t.y_stride + channel, mul(mul(inverse_length(q, size), scale), sum));
    }
}

void delta_rule(const DeltaTask& t) {
    for (int64_t tile = t.tile_begin; tile < t.tile_end; ++tile) delta_tile(t, tile);
}

}  // namespace
}  // namespace foretell
