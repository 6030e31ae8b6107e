// Attention over a paged KV cache. See kernels_impl.h; KvLayer in kernels.h has the layout.
#pragma once

#include <cmath>
#include <cstring>

#include "elementwise_impl.h"
#include "half.h"
#include "inline.h"

namespace foretell {
namespace {

template <bool Half>
FORETELL_INLINE Vec load_cached(const uint8_t* part, int64_t index) {
    return Half ? load_half(reinterpret_cast<const uint16_t*>(part) + index)
                : load(reinterpret_cast<const float*>(part) + index);
}

template <bool Half>
inline void store_cached(uint8_t* part, int64_t index, float x) {
    if constexpr (Half) {
        reinterpret_cast<uint16_t*>(part)[index] = float_to_half(x);
    } else {
        reinterpret_cast<float*>(part)[index] = x;
    }
}

template <bool Half>
void store_kv_as(const StoreKvTask& task) {
    const KvLayer& kv = task.kv;
    const int64_t dim = kv.head_dim;
    const int64_t part = task.head * kv.head_values(), row = part + task.slot * dim;
    const int64_t column = part + task.slot / kLanes * dim * kLanes + task.slot % kLanes;
    for (int64_t d = 0; d < dim; ++d) {
        store_cached<Half>(kv.keys(task.block), column + d * kLanes, task.k[d]);
    }
    for (int64_t d = 0; d < dim; ++d) store_cached<Half>(kv.values(task.block), row + d, task.v[d]);
}

void store_kv(const StoreKvTask& task) {
    task.kv.half ? store_kv_as<true>(task) : store_kv_as<false>(task);
}

// The softmax of H heads over the positions seen so far: weights relative to the largest score,
// their sum, and the weighted sum of values in `values` (H rows of head_dim).
template <int H>
struct Partial {
    float largest[H], sum[H];
    float* values;
};

// Scores of H heads for 16 consecutive positions: scale * q·k, over even and odd dimensions apart.
template <bool Half, int H>
FORETELL_INLINE void score_lanes(const AttentionTask& task, const float* q, const uint8_t* keys,
                                 int64_t at, Vec out[H]) {
    const int64_t dim = task.kv.head_dim;
    Vec even[H], odd[H];
    for (int h = 0; h < H; ++h) even[h] = odd[h] = set(0.0f);
    for (int64_t d = 0; d < dim; d += 2) {
        const Vec k0 = load_cached<Half>(keys, at + d * kLanes);
        const Vec k1 = load_cached<Half>(keys, at + (d + 1) * kLanes);
        for (int h = 0; h < H; ++h) {
            even[h] = fma(set(q[h * dim + d]), k0, even[h]);
            odd[h] = fma(set(q[h * dim + d + 1]), k1, odd[h]);
        }
    }
    for (int h = 0; h < H; ++h) out[h] = mul(add(even[h], odd[h]), set(task.scale));
}

// Fills `weights` (H rows of kAttentionChunk) with the scores of positions begin … end - 1.
template <bool Half, int H>
void score_chunk(const AttentionTask& task, const float* q, int64_t begin, int64_t end,
                 float* weights, float largest[H]) {
    const KvLayer& kv = task.kv;
    Vec top[H];
    for (int h = 0; h < H; ++h) top[h] = set(-INFINITY);
    for (int64_t position = begin; position < end; position += kLanes) {
        const int64_t block = task.block_table[position / kv.block_size];
        const int64_t group = position % kv.block_size / kLanes;
        const int64_t at = task.kv_head * kv.head_values() + group * kv.head_dim * kLanes;
        Vec scores[H];
        score_lanes<Half, H>(task, q, kv.keys(block), at, scores);
        for (int h = 0; h < H; ++h) {
            float* row = weights + h * kAttentionChunk + (position - begin);
            store(row, scores[h]);
            for (int64_t lane = end - position; lane < kLanes; ++lane) row[lane] = -INFINITY;
            top[h] = max(load(row), top[h]);
        }
    }
    for (int h = 0; h < H; ++h) largest[h] = max_lane(top[h]);
}

inline float exponentiate(float* weights, int64_t count, float largest) {
    Vec sum = set(0.0f);
    for (int64_t i = 0; i < count; i += kLanes) {
        const Vec w = exp_lanes(sub(load(weights + i), set(largest)));
        store(weights + i, w);
        sum = add(sum, w);
    }
    return reduce_add(sum);
}

// values[h] = Σ weights[h][p] * V[p] for positions begin … end - 1, in order; `Lines` registers
// of each row at a time.
template <bool Half, int H, int Lines>
inline void sum_values(const AttentionTask& task, int64_t line, int64_t begin, int64_t end,
                       const float* weights, float* values) {
    const KvLayer& kv = task.kv;
    const int64_t dim = kv.head_dim;
    Vec acc[H][Lines];
    for (auto& row : acc) {
        for (Vec& v : row) v = set(0.0f);
    }
    for (int64_t position = begin; position < end; ++position) {
        const uint8_t* part = kv.values(task.block_table[position / kv.block_size]);
        const int64_t at = task.kv_head * kv.head_values() + position % kv.block_size * dim + line;
        for (int i = 0; i < Lines; ++i) {
            const Vec v = load_cached<Half>(part, at + i * kLanes);
            for (int h = 0; h < H; ++h) {
                acc[h][i] = fma(set(weights[h * kAttentionChunk + position - begin]), v, acc[h][i]);
            }
        }
    }
    for (int h = 0; h < H; ++h) {
        for (int i = 0; i < Lines; ++i) store(values + h * dim + line + i * kLanes, acc[h][i]);
    }
}

inline void rescale(float* row, float by, const float* other, float other_by, int64_t dim) {
    for (int64_t d = 0; d < dim; d += kLanes) {
        store(row + d, fma(load(other + d), set(other_by), mul(load(row + d), set(by))));
    }
}

template <int H>
void merge(Partial<H>& total, const Partial<H>& chunk, int64_t dim) {
    for (int h = 0; h < H; ++h) {
        const float largest =
            total.largest[h] > chunk.largest[h] ? total.largest[h] : chunk.largest[h];
        float lane[kLanes] = {total.largest[h] - largest, chunk.largest[h] - largest};
        store(lane, exp_lanes(load(lane)));
        total.sum[h] = total.sum[h] * lane[0] + chunk.sum[h] * lane[1];
        total.largest[h] = largest;
        rescale(total.values + h * dim, lane[0], chunk.values + h * dim, lane[1], dim);
    }
}

template <bool Half, int H>
void attend(const AttentionTask& task, int64_t first_head) {
    const int64_t dim = task.kv.head_dim;
    const float* q = task.q + first_head * dim;
    float* weights = task.scratch;
    Partial<H> total, chunk;
    total.values = task.out + first_head * dim;
    chunk.values = task.scratch + kHeadsAtOnce * kAttentionChunk;
    for (int64_t begin = 0; begin <= task.position; begin += kAttentionChunk) {
        const int64_t last = begin + kAttentionChunk;
        const int64_t end = last < task.position + 1 ? last : task.position + 1;
        Partial<H>& part = begin == 0 ? total : chunk;
        score_chunk<Half, H>(task, q, begin, end, weights, part.largest);
        for (int h = 0; h < H; ++h) {
            part.sum[h] = exponentiate(weights + h * kAttentionChunk, end - begin, part.largest[h]);
        }
        int64_t line = 0;
        for (; line + 4 * kLanes <= dim; line += 4 * kLanes) {
            sum_values<Half, H, 4>(task, line, begin, end, weights, part.values);
        }
        for (; line < dim; line += kLanes) {
            sum_values<Half, H, 1>(task, line, begin, end, weights, part.values);
        }
        if (begin > 0) merge(total, chunk, dim);
    }
    for (int h = 0; h < H; ++h) {
        float* row = total.values + h * dim;
        for (int64_t d = 0; d < dim; d += kLanes) {
            store(row + d, div(load(row + d), set(total.sum[h])));
        }
    }
}

template <bool Half>
void attention_as(const AttentionTask& task) {
    int64_t head = task.head_begin;
    for (; head + 4 <= task.head_end; head += 4) attend<Half, 4>(task, head);
    switch (task.head_end - head) {
        case 3:
            attend<Half, 3>(task, head);
            break;
        case 2:
            attend<Half, 2>(task, head);
            break;
        case 1:
            attend<Half, 1>(task, head);
            break;
        default:
            break;
    }
}

void attention(const AttentionTask& task) {
    task.kv.half ? attention_as<true>(task) : attention_as<false>(task);
}

}  // namespace
}  // namespace foretell
