// Attention over keys and values that are kept as floats. See kernels_impl.h; KvLayer in kernels.h
// has the layout. A row adds no position that it may not see.
#pragma once

#include "kernels/attention_rows_impl.h"

namespace foretell {
namespace {

// Scores of R rows for sixteen positions: scale * q·k, over even and odd dimensions apart. Fetches
// the group at `later` meanwhile.
template <KvType T, int R>
FORETELL_INLINE void score_lanes(const AttentionTask& task, const float* q, const uint8_t* keys,
                                 const uint8_t* later, float* weights) {
    constexpr int64_t kStep = kLanes * bytes_of(T);
    Vec even[R], odd[R];
    for (int r = 0; r < R; ++r) even[r] = odd[r] = set(0.0f);
    for (int64_t left = task.kv.head_dim; left > 0; left -= kLanes, q += (R - 1) * kLanes) {
        for (int d = 0; d < kLanes; d += 2, q += 2, keys += 2 * kStep, later += 2 * kStep) {
            prefetch(later);
            if constexpr (kStep > 32) prefetch(later + kStep);
            const Vec k0 = load_cached<T>(keys);
            for (int r = 0; r < R; ++r) even[r] = fma(set(q[r * kLanes]), k0, even[r]);
            const Vec k1 = load_cached<T>(keys + kStep);
            for (int r = 0; r < R; ++r) odd[r] = fma(set(q[r * kLanes + 1]), k1, odd[r]);
        }
    }
    for (int r = 0; r < R; ++r) {
        store(weights + r * kWeightStride, mul(add(even[r], odd[r]), set(task.scale)));
    }
}

// Scores of R rows for positions begin … end - 1 and the rest of the last sixteen.
template <KvType T, int R>
void score_rows(const AttentionTask& task, const float* q, int64_t begin, int64_t end,
                float* weights) {
    for (int64_t position = begin; position < end; position += kLanes) {
        score_lanes<T, R>(task, q, keys_at<T>(task, position),
                          to_fetch_with_keys<T>(task, position, begin, end),
                          weights + (position - begin));
    }
}

// Adds Σ weights[r][p] * V[p] over positions begin … end - 1, in order, to Lines * 16 dimensions
// of R rows.
template <KvType T, int R, int Lines>
inline void add_lines(const AttentionTask& task, int64_t line, int64_t begin, int64_t end,
                      const float* weights, float* sums) {
    constexpr int64_t kBytes = bytes_of(T);
    const int64_t dim = task.kv.head_dim, row_bytes = dim * kBytes;
    Vec acc[R * Lines];
    unrolled<R * Lines>(
        [&](int k) { acc[k] = load(sums + k / Lines * dim + line + k % Lines * kLanes); });
    for (int64_t position = begin; position < end;) {
        const int64_t stop = std::min(end, position / kLanes * kLanes + kLanes);
        const uint8_t* values = values_at<T>(task, position) + line * kBytes;
        const uint8_t* later = to_fetch_with_values<T>(task, position, end) + line * kBytes;
        for (int64_t p = 0; p < stop - position; ++p) {
            for (int64_t at = 0; at < Lines * kLanes * kBytes; at += 64) {
                prefetch(later + p * row_bytes + at);
            }
            Vec v[Lines];
            unrolled<Lines>([&](int i) {
                v[i] = load_cached<T>(values + p * row_bytes + i * kLanes * kBytes);
            });
            unrolled<R * Lines>([&](int k) {
                const Vec w = set(weights[k / Lines * kWeightStride + p]);
                acc[k] = fma(w, v[k % Lines], acc[k]);
            });
        }
        weights += stop - position;
        position = stop;
    }
    unrolled<R * Lines>(
        [&](int k) { store(sums + k / Lines * dim + line + k % Lines * kLanes, acc[k]); });
}

template <KvType T, int R>
void add_values(const AttentionTask& task, int64_t begin, int64_t end, const float* weights,
                float* sums) {
    constexpr int kLines = kSums / R >= 4 ? 4 : kSums / R >= 2 ? 2 : 1;
    const int64_t dim = task.kv.head_dim;
    int64_t line = 0;
    for (; line + kLines * kLanes <= dim; line += kLines * kLanes) {
        add_lines<T, R, kLines>(task, line, begin, end, weights, sums);
    }
    for (; line < dim; line += kLanes) {
        add_lines<T, R, 1>(task, line, begin, end, weights, sums);
    }
}

// add_values for `count` rows that see the same positions.
template <KvType T, int R = kMostRows>
void add_values_of(int64_t count, const AttentionTask& task, int64_t begin, int64_t end,
                   const float* weights, float* sums) {
    if constexpr (R > 1) {
        if (count < R) {
            return add_values_of<T, fewer_rows(R)>(count, task, begin, end, weights, sums);
        }
    }
    add_values<T, R>(task, begin, end, weights, sums);
    if (count == R) return;
    add_values_of<T>(count - R, task, begin, end, weights + R * kWeightStride,
                     sums + R * task.kv.head_dim);
}

// Adds to `partial`, for each token of R rows, what it sees of the positions from … to - 1 of the
// chunk from `begin` on.
template <KvType T, int R>
void add_own_values(const QueryRows& rows, int64_t r, int64_t begin, int64_t from, int64_t to) {
    for (int64_t i = 0, same; i < R; i += same) {
        const int64_t token = rows.row[r + i].token;
        for (same = 1; i + same < R && rows.row[r + i + same].token == token;) ++same;
        const int64_t first = std::max(from, rows.unseen(r + i, begin));
        const int64_t end = std::min(to, rows.seen(r + i, begin));
        if (first >= end) continue;
        add_values_of<T>(same, rows.task, begin + first, begin + end,
                         rows.weights + i * kWeightStride + first,
                         rows.partial + i * rows.task.kv.head_dim);
    }
}

// Fills `partial` for R rows, in order of positions: each token's own, what all of them see, each
// token's own again.
template <KvType T, int R>
void sum_values(const QueryRows& rows, int64_t r, int64_t begin) {
    const int64_t dim = rows.task.kv.head_dim, end = rows.seen(r, begin);
    const int64_t common = std::min(rows.unseen(r + R - 1, begin), end);
    for (int64_t d = 0; d < R * dim; d += kLanes) store(rows.partial + d, set(0.0f));
    add_own_values<T, R>(rows, r, begin, 0, common);
    add_values<T, R>(rows.task, begin + common, begin + end, rows.weights + common, rows.partial);
    add_own_values<T, R>(rows, r, begin, end, kAttentionChunk);
}

// Attention of rows r … r + R - 1 over the chunk of positions from `begin` on.
template <KvType T, int R>
void attend(QueryRows& rows, int64_t r, int64_t begin) {
    const int64_t dim = rows.task.kv.head_dim, longest = rows.seen(r + R - 1, begin);
    const int64_t from = lanes_begin(rows.unseen(r, begin));
    score_rows<T, R>(rows.task, rows.packed + r * dim, begin + from, begin + longest,
                     rows.weights + from);
    if (rows.changes_scores()) change_scores(rows, r, R, begin, from, longest);
    int seeing = 0;  // rows; those behind them see none of this chunk
    Softmax chunk[R];
    for (; seeing < R && rows.unseen(r + seeing, begin) < kAttentionChunk; ++seeing) {
        Softmax& part = chunk[seeing];
        part.sum =
            weigh(rows.weights + seeing * kWeightStride, from, rows.unseen(r + seeing, begin),
                  rows.seen(r + seeing, begin), part.largest);
        part.values = rows.partial + seeing * dim;
    }
    sum_values<T, R>(rows, r, begin);
    for (int i = 0; i < seeing; ++i) {
        rows.join_chunk(r + i, chunk[i], begin);
    }
}

void pack_queries(QueryRows& rows) {
    const int64_t dim = rows.task.kv.head_dim;
    for (int64_t r = 0; r < rows.count;) {
        const int together = rows_at_once(rows.count - r);
        float* packed = rows.packed + r * dim;
        for (int i = 0; i < together; ++i, ++r) {
            for (int64_t d = 0; d < dim; d += kLanes) {
                store(packed + d * together + i * kLanes, load(rows.row[r].q + d));
            }
        }
    }
}

}  // namespace
}  // namespace foretell
