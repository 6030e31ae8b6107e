// Attention over keys and values that are kept as int8: products of integers, exact, and a few
// operations in float32 for their scales. See kernels_impl.h; KvLayer in kernels.h has the layout.
//
// A score: the query's codes times the key's, a scale for each 32 dimensions of both. A weighted
// sum of values: the weights of a chunk of positions, each times the scale of its position's value,
// as integers of 14 bits relative to the largest of them, times the values' codes. What a row may
// not see has the weight 0, whatever lies there; what is not finite makes the row's sum NaN.
#pragma once

#include "kernels/attention_rows_impl.h"
#include "kernels/kv_codes_impl.h"

namespace foretell {
namespace {

constexpr float kFineMost = 16383.0f;       // a chunk's largest weight, as an integer
constexpr float kFineLeast = 0x1p-110f;     // where it is less than this, the chunk counts as zero
constexpr int64_t kFineBytes = 2 * kLanes;  // of the integers of sixteen positions

// A row's query as codes, in the space of its head_dim floats.
struct QueryCodes {
    int8_t* codes;  // (head_dim)
    float* scales;  // (groups of 32 dimensions), times the scale of the scores
    int32_t* sums;  // (groups of 32 dimensions), of the codes

    QueryCodes(float* memory, int64_t dim)
        : codes(reinterpret_cast<int8_t*>(memory)),
          scales(memory + dim / 4),
          sums(reinterpret_cast<int32_t*>(scales + scale_groups(dim))) {}
};

void pack_codes(QueryRows& rows) {
    const int64_t dim = rows.task.kv.head_dim;
    for (int64_t r = 0; r < rows.count; ++r) {
        const float* q = rows.row[r].q;
        const QueryCodes query(rows.packed + r * dim, dim);
        for (int64_t g = 0, d = 0; d < dim; ++g, d += kScaleGroup) {
            const int64_t size = std::min(kScaleGroup, dim - d);
            const float scale = code_scale(q + d, size);
            encode(q + d, size, scale, query.codes + d);
            query.scales[g] = scale * rows.task.scale;
            query.sums[g] = 0;
            for (int64_t i = 0; i < size; i += kLanes) {
                query.sums[g] += sum_bytes(query.codes + d + i);
            }
        }
    }
}

// The scales that go with keys_at and values_at of sixteen positions.
inline const uint16_t* key_scales_at(const AttentionTask& task, int64_t position) {
    const KvLayer& kv = task.kv;
    const int64_t row = task.kv_head * kv.block_size + position % kv.block_size;
    return kv.key_scales(task.block_table[position / kv.block_size]) +
           row * scale_groups(kv.head_dim);
}
inline const uint16_t* value_scales_at(const AttentionTask& task, int64_t position) {
    const KvLayer& kv = task.kv;
    const int64_t row = task.kv_head * kv.block_size + position % kv.block_size;
    return kv.value_scales(task.block_table[position / kv.block_size]) + row;
}

// Asks for the scales that will be read with the keys of to_fetch_with_keys; otherwise each read
// would wait for memory.
inline void fetch_scales(const AttentionTask& task, int64_t position, int64_t end) {
    prefetch(value_scales_at(task, position));  // for soon, when the chunk's scores are there
    const int64_t later = position + kAhead<KvType::q8>;
    if (later >= end) return;
    const uint16_t* scales = key_scales_at(task, later);
    for (int64_t g = 0; g < scale_groups(task.kv.head_dim); g += 2) prefetch(scales + g * kLanes);
}

// Scores of R rows for sixteen positions. Fetches the codes at `later` meanwhile.
template <int R>
FORETELL_INLINE void score_codes(int64_t dim, float* packed, const uint8_t* keys,
                                 const uint16_t* scales, const uint8_t* later, float* out) {
    const auto query = [&](int r) { return QueryCodes(packed + r * dim, dim); };
    Vec score[R];
    for (int64_t g = 0, d = 0; d < dim; ++g, scales += kLanes) {
        Int sum[R];
        unrolled<R>([&](int r) { sum[r] = begin_products(query(r).sums[g]); });
        for (const int64_t end = std::min(d + kScaleGroup, dim); d < end; d += kLanes) {
            unrolled<kLanes / 4>([&](int i) {
                const int64_t at = d + 4 * i;
                prefetch(later + at * kLanes);
                const KeyCodes k = load_key_codes(keys + at * kLanes);
                unrolled<R>([&](int r) { sum[r] = add_products(sum[r], k, query(r).codes + at); });
            });
        }
        const Vec scale = load_bfloat16(scales);
        unrolled<R>([&](int r) {
            const Vec product = mul(to_float(sum[r]), set(query(r).scales[g]));
            score[r] = g == 0 ? mul(product, scale) : fma(product, scale, score[r]);
        });
    }
    unrolled<R>([&](int r) { store(out + r * kWeightStride, score[r]); });
}

// The scales of the values of positions begin … end - 1, and those of the last sixteen.
inline void load_value_scales(const AttentionTask& task, int64_t begin, int64_t end, float* out) {
    for (int64_t at = begin; at < end; at += kLanes, out += kLanes) {
        store(out, load_bfloat16(value_scales_at(task, at)));
    }
}

// The weights of positions first … count - 1, times the scales of their values, in place; zeros for
// the rest of the sixteens at both ends. Returns the largest of them; NaN where one is,
// or where their sum overflows.
inline float scale_weights(float* row, const float* scales, int64_t first, int64_t count) {
    Vec most = set(0.0f), sum = set(0.0f);
    for (int64_t i = lanes_begin(first); i < count; i += kLanes) {
        Vec weight = mul(load(row + i), load(scales + i));
        if (i < first || i + kLanes > count) {
            store(row + i, weight);
            for (int64_t p = i; p < first; ++p) row[p] = 0;
            for (int64_t p = count; p < i + kLanes; ++p) row[p] = 0;
            weight = load(row + i);
        }
        store(row + i, weight);
        most = max(weight, most);
        sum = add(sum, weight);
    }
    return reduce_add(sum) < INFINITY ? max_lane(most) : NAN;
}

// Turns what scale_weights made into integers, `largest` into kFineMost, over itself: for all from
// `begin` to `end`, zeros where nothing is seen. Returns what a 1 stands for.
inline float make_fine(float* row, float largest, int64_t begin, int64_t first, int64_t count,
                       int64_t end) {
    const Vec factor = set(largest > kFineLeast ? kFineMost / largest : 0.0f);
    auto* fine = reinterpret_cast<uint8_t*>(row);  // never ahead of what is still to be read
    for (int64_t i = begin; i < end; i += kLanes) {
        const bool is_seen = lanes_begin(first) <= i && i < count;
        const Vec shifted = fma(is_seen ? load(row + i) : set(0.0f), factor, set(kRound));
        store_fine(fine + i / kLanes * kFineBytes, sub_int(bits_of(shifted), bits_of(set(kRound))));
    }
    return largest / kFineMost;
}

// Σ integer[r][p] * V[p] over positions begin … end - 1, whole sixteens, for Lines * 16 dimensions
// of R rows, times `unit[r]`.
template <int R, int Lines>
inline void sum_lines(const AttentionTask& task, int64_t line, int64_t begin, int64_t end,
                      const float* weights, const float* unit, float* sums) {
    const int64_t dim = task.kv.head_dim;
    Int high[R * Lines], low[R * Lines];
    unrolled<R * Lines>([&](int k) { high[k] = low[k] = set_int(0); });
    const auto* fine = reinterpret_cast<const uint8_t*>(weights);
    for (int64_t at = begin; at < end; at += kLanes, fine += kFineBytes) {
        const uint8_t* values = values_at<KvType::q8>(task, at) + line * 4;
        const uint8_t* later = to_fetch_with_values<KvType::q8>(task, at, end) + line * 4;
        for (int quad = 0; quad < 4; ++quad, values += 4 * dim, later += 4 * dim) {
            ValueCodes v[Lines];
            unrolled<Lines>([&](int i) {
                prefetch(later + i * 64);
                v[i] = load_value_codes(values + i * 64);
            });
            unrolled<R * Lines>([&](int k) {
                const uint8_t* own = fine + k / Lines * kWeightStride * sizeof(float);
                high[k] = add_fine<0>(high[k], v[k % Lines], own, quad);
                low[k] = add_fine<1>(low[k], v[k % Lines], own, quad);
            });
        }
    }
    unrolled<R * Lines>([&](int k) {
        const Vec sum = to_float(join_fine(high[k], low[k]));
        store(sums + k / Lines * dim + line + k % Lines * kLanes, mul(sum, set(unit[k / Lines])));
    });
}

template <int R>
void sum_codes(const AttentionTask& task, int64_t begin, int64_t end, const float* weights,
               const float* unit, float* sums) {
    constexpr int kLines = kMostRows / R >= 4 ? 4 : kMostRows / R >= 2 ? 2 : 1;
    const int64_t dim = task.kv.head_dim;
    int64_t line = 0;
    for (; line + kLines * kLanes <= dim; line += kLines * kLanes) {
        sum_lines<R, kLines>(task, line, begin, end, weights, unit, sums);
    }
    for (; line < dim; line += kLanes) {
        sum_lines<R, 1>(task, line, begin, end, weights, unit, sums);
    }
}

// Attention of rows r … r + R - 1 over the chunk of positions from `begin` on.
template <int R>
void attend_codes(QueryRows& rows, int64_t r, int64_t begin) {
    const AttentionTask& task = rows.task;
    const int64_t dim = task.kv.head_dim, longest = rows.seen(r + R - 1, begin);
    const int64_t from = lanes_begin(rows.unseen(r, begin));
    for (int64_t i = from; i < longest; i += kLanes) {
        const int64_t position = begin + i;
        fetch_scales(task, position, task.position + task.tokens);
        score_codes<R>(
            dim, rows.packed + r * dim, keys_at<KvType::q8>(task, position),
            key_scales_at(task, position),
            to_fetch_with_keys<KvType::q8>(task, position, begin + from, begin + longest),
            rows.weights + i);
    }
    if (rows.changes_scores()) change_scores(rows, r, R, begin, from, longest);
    float scales[kAttentionChunk];
    load_value_scales(task, begin + from, begin + longest, scales + from);
    Softmax chunk[R];
    float unit[R];
    for (int i = 0; i < R; ++i) {
        float* row = rows.weights + i * kWeightStride;
        const int64_t first = std::min(rows.unseen(r + i, begin), longest);
        const int64_t count = std::max(rows.seen(r + i, begin), first);
        chunk[i].sum = weigh(row, from, first, count, chunk[i].largest);
        chunk[i].values = rows.partial + i * dim;
        const float largest = scale_weights(row, scales, first, count);
        unit[i] = make_fine(row, largest, from, first, count, longest);
        // Weights are at most 1, but for scores that are NaN or infinite, which make e^88 of them.
        const bool is_sound = chunk[i].sum <= 2 * kAttentionChunk && largest >= 0;
        if (!is_sound) chunk[i].sum = NAN;
    }
    sum_codes<R>(task, begin + from, begin + longest, rows.weights + from / 2, unit, rows.partial);
    for (int i = 0; i < R; ++i) {
        if (rows.unseen(r + i, begin) < kAttentionChunk) rows.join_chunk(r + i, chunk[i], begin);
    }
}

}  // namespace
}  // namespace foretell
