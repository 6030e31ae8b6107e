// Attention over a paged KV cache. See kernels_impl.h; KvLayer in kernels.h has the layout.
//
// Rows of queries, one for each token and head, share every key and value that is loaded. A row's
// sums are the same operations in the same order whichever rows are beside it, and it reads no
// position that it may not see.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/elementwise_impl.h"
#include "kernels/inline.h"
#include "kernels/kv_store_impl.h"

namespace foretell {
namespace {

constexpr int kMostRows = kSums / 2;  // rows at once: the scores of one take two running sums
static_assert(kMostRows <= kMaxQueryRows, "a larger scratch is needed");

// How many of the rows left go together: R or, where fewer are left, a smaller number.
constexpr int fewer_rows(int rows) { return rows > 6 ? 6 : rows > 4 ? 4 : rows - 1; }
template <int R = kMostRows>
constexpr int rows_at_once(int64_t left) {
    if constexpr (R > 1) {
        if (left < R) return rows_at_once<fewer_rows(R)>(left);
    }
    return R;
}

// A row's softmax over some positions: weights relative to the largest score, their sum, and the
// weighted sum of values (head_dim).
struct Softmax {
    float largest, sum;
    float* values;
};

// Joins the softmax over further positions to `total`.
inline void merge(Softmax& total, const Softmax& more, int64_t dim) {
    const float largest = total.largest > more.largest ? total.largest : more.largest;
    float lane[kLanes] = {total.largest - largest, more.largest - largest};
    store(lane, exp_lanes(load(lane)));
    total.sum = total.sum * lane[0] + more.sum * lane[1];
    total.largest = largest;
    for (int64_t d = 0; d < dim; d += kLanes) {
        const Vec kept = mul(load(total.values + d), set(lane[0]));
        store(total.values + d, fma(load(more.values + d), set(lane[1]), kept));
    }
}

// Joins the softmax over one more chunk to what came before, if anything.
inline void join(Softmax& total, const Softmax& chunk, bool is_first, int64_t dim) {
    if (!is_first) return merge(total, chunk, dim);
    total.largest = chunk.largest;
    total.sum = chunk.sum;
    for (int64_t d = 0; d < dim; d += kLanes) store(total.values + d, load(chunk.values + d));
}

// One head of one token.
struct Row {
    const float* q;   // (head_dim)
    int64_t token;    // of the task
    Softmax softmax;  // over the chunks so far, values in the task's `out`
};

// Up to kQueryBatch rows of a task, a token's heads together.
struct QueryRows {
    const AttentionTask& task;
    Row row[kQueryBatch];
    int64_t count;
    float* weights;  // (kMaxQueryRows, kWeightStride): of the positions of one chunk
    float* partial;  // (kMaxQueryRows, head_dim): Σ weight * value of one chunk
    float* packed;   // queries, [dimension / 16][row][16] for each rows_at_once

    explicit QueryRows(const AttentionTask& t)
        : task(t),
          count(0),
          weights(t.scratch),
          partial(weights + kMaxQueryRows * kWeightStride),
          packed(partial + kMaxQueryRows * t.kv.head_dim) {}

    void add(int64_t token, int64_t head) {
        const int64_t at = token * task.stride + head * task.kv.head_dim;
        row[count++] = {task.q + at, token, {0, 0, task.out + at}};
    }
    int64_t last_position() const { return task.position + row[count - 1].token; }
    // Positions of the chunk from `begin` on that row r sees.
    int64_t seen(int64_t r, int64_t begin) const {
        return std::min<int64_t>(kAttentionChunk, task.position + row[r].token + 1 - begin);
    }
    // The first position that row r sees. Later rows see none before it.
    int64_t first(int64_t r) const {
        const int64_t end = task.position + row[r].token + 1;
        return end > task.window ? end - task.window : 0;
    }
    // Positions at the start of that chunk that are before row r's window.
    int64_t unseen(int64_t r, int64_t begin) const {
        return std::max(first(r) - begin, int64_t{0});
    }
};

// Where keys of the sixteen positions from `position` on lie, or values from `position` on.
template <KvType T>
inline int64_t offset_in_part(const AttentionTask& task, int64_t position) {
    const KvLayer& kv = task.kv;
    const int64_t row = task.kv_head * kv.block_size + position % kv.block_size;
    return row * kv.head_dim * bytes_of(T);
}
template <KvType T>
inline const uint8_t* keys_at(const AttentionTask& task, int64_t position) {
    return task.kv.keys(task.block_table[position / task.kv.block_size]) +
           offset_in_part<T>(task, position);
}
template <KvType T>
inline const uint8_t* values_at(const AttentionTask& task, int64_t position) {
    return task.kv.values(task.block_table[position / task.kv.block_size]) +
           offset_in_part<T>(task, position);
}

// A chunk's keys, then its values, are read in groups of sixteen positions, which lie far apart.
// With each of them the group is fetched that is read kAhead positions later.
constexpr int64_t kAhead = 48;

template <KvType T>
inline const uint8_t* to_fetch_with_keys(const AttentionTask& task, int64_t position, int64_t begin,
                                         int64_t end) {
    const int64_t later = position + kAhead;
    if (later < end) return keys_at<T>(task, later);
    const int64_t value = begin + (later - end) / kLanes * kLanes;
    return values_at<T>(task, value < end ? value : begin);
}
template <KvType T>
inline const uint8_t* to_fetch_with_values(const AttentionTask& task, int64_t position,
                                           int64_t end) {
    const int64_t later = position / kLanes * kLanes + kAhead;
    if (later < end) return values_at<T>(task, later);
    const bool follows = later < task.position + task.tokens;
    return follows ? keys_at<T>(task, later) : values_at<T>(task, position);
}

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

// The sixteen positions, of which `position` is one, begin here.
constexpr int64_t lanes_begin(int64_t position) { return position / kLanes * kLanes; }

// Turns the scores of positions first … count - 1 into weights relative to the largest, and what
// comes before them, from `begin` on, into zeros; returns their sum.
inline float weigh(float* row, int64_t begin, int64_t first, int64_t count, float& largest) {
    const int64_t end = (count + kLanes - 1) / kLanes * kLanes;
    for (int64_t i = begin; i < first; ++i) row[i] = -INFINITY;
    for (int64_t i = count; i < end; ++i) row[i] = -INFINITY;
    Vec top = set(-INFINITY), sum = set(0.0f);
    for (int64_t i = begin; i < end; i += kLanes) top = max(load(row + i), top);
    largest = max_lane(top);
    for (int64_t i = begin; i < end; i += kLanes) {
        const Vec w = exp_lanes(sub(load(row + i), set(largest)));
        store(row + i, w);
        sum = add(sum, w);
    }
    return reduce_add(sum);
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
        join(rows.row[r + i].softmax, chunk[i], rows.first(r + i) >= begin, dim);
    }
}

template <KvType T, int R = kMostRows>
void attend_some(QueryRows& rows, int64_t r, int64_t begin) {
    if constexpr (R > 1) {
        if (rows.count - r < R) return attend_some<T, fewer_rows(R)>(rows, r, begin);
    }
    attend<T, R>(rows, r, begin);
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

template <KvType T>
void attend_chunks(QueryRows& rows) {
    const int64_t last = rows.last_position();
    int64_t begin = rows.first(0) / kAttentionChunk * kAttentionChunk;
    for (; begin <= last; begin += kAttentionChunk) {
        for (int64_t r = 0; r < rows.count; r += rows_at_once(rows.count - r)) {
            if (rows.unseen(r, begin) < kAttentionChunk) attend_some<T>(rows, r, begin);
        }
    }
}

void attend_all(QueryRows& rows) {
    pack_queries(rows);
    switch (rows.task.kv.type) {
        case KvType::float32:
            attend_chunks<KvType::float32>(rows);
            break;
        case KvType::float16:
            attend_chunks<KvType::float16>(rows);
            break;
        case KvType::bfloat16:
            attend_chunks<KvType::bfloat16>(rows);
            break;
    }
    for (int64_t r = 0; r < rows.count; ++r) {
        const Softmax& total = rows.row[r].softmax;
        const Vec sum = set(total.sum);
        for (int64_t d = 0; d < rows.task.kv.head_dim; d += kLanes) {
            store(total.values + d, div(load(total.values + d), sum));
        }
    }
}

void attention(const AttentionTask& task) {
    QueryRows rows(task);
    for (int64_t token = 0; token < task.tokens; ++token) {
        for (int64_t head = task.head_begin; head < task.head_end; ++head) {
            rows.add(token, head);
            if (rows.count < kQueryBatch) continue;
            attend_all(rows);
            rows.count = 0;
        }
    }
    if (rows.count > 0) attend_all(rows);
}

}  // namespace
}  // namespace foretell
