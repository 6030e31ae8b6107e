// What attention in floats and in int8 share: rows of queries, softmax over chunks, where keys and
// values lie. See kernels_impl.h.
//
// Rows of queries, one for each token and head, share every key and value that is loaded. A row's
// sums are the same operations in the same order whichever rows are beside it, and nothing that it
// may not see is added.
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
    const float* q;  // (head_dim)
    int64_t token;   // of the task
    int64_t head;
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
        float* values = is_part() ? task.parts.at(token, head, task.chunk) : task.out + at;
        row[count++] = {task.q + at, token, head, {0, 0, values}};
    }
    const float* sink(int64_t r) const { return task.sinks ? task.sinks + row[r].head : nullptr; }
    bool changes_scores() const { return task.softcap > 0 || task.slopes != nullptr; }
    bool is_part() const { return task.parts.data != nullptr; }
    int64_t first_chunk() const { return is_part() ? task.chunk : first(0) / kAttentionChunk; }
    int64_t last_chunk() const {
        const int64_t last = task.position + row[count - 1].token;
        return is_part() ? task.chunk : last / kAttentionChunk;
    }
    // Joins row r's softmax over the chunk from `begin` on to what came before.
    void join_chunk(int64_t r, const Softmax& chunk, int64_t begin) {
        join(row[r].softmax, chunk, is_part() || first(r) >= begin, task.kv.head_dim);
    }
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
// With each of them the group is fetched that is read so many positions later: as many as memory
// takes to give them.
template <KvType T>
constexpr int64_t kAhead = T == KvType::q8 ? 160 : 48;

template <KvType T>
inline const uint8_t* to_fetch_with_keys(const AttentionTask& task, int64_t position, int64_t begin,
                                         int64_t end) {
    const int64_t later = position + kAhead<T>;
    if (later < end) return keys_at<T>(task, later);
    const int64_t value = begin + (later - end) / kLanes * kLanes;
    return values_at<T>(task, value < end ? value : begin);
}
template <KvType T>
inline const uint8_t* to_fetch_with_values(const AttentionTask& task, int64_t position,
                                           int64_t end) {
    const int64_t later = position / kLanes * kLanes + kAhead<T>;
    if (later < end) return values_at<T>(task, later);
    const bool follows = later < task.position + task.tokens;
    return follows ? keys_at<T>(task, later) : values_at<T>(task, position);
}

// The sixteen positions, of which `position` is one, begin here.
constexpr int64_t lanes_begin(int64_t position) { return position / kLanes * kLanes; }

// Rounded to the nearest bfloat16, ties to even. Finite values alone.
inline Vec round_to_bfloat16(Vec x) {
    const Int bits = bits_of(x), odd = and_int(shift_right<16>(bits), set_int(1));
    const Int rounded = add_int(bits, add_int(odd, set_int(0x7fff)));
    return from_bits(and_int(rounded, set_int(~0xffff)));
}

// What sixteen scores gain by their distance to a token, `to_first` of the first of them, which is
// at `position`.
inline Vec distance_bias(const AttentionTask& task, float slope, int64_t position,
                         int64_t to_first) {
    static constexpr float kSteps[kLanes] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const auto from = [&](int64_t first) {
        return add(set(static_cast<float>(first)), load(kSteps));
    };
    if (!task.rounds_slopes) return mul(set(slope), from(to_first));
    const Vec product = mul(round_to_bfloat16(set(slope)), round_to_bfloat16(from(position)));
    return mul(round_to_bfloat16(product), set(task.scale));
}

// Changes the scores of `count` rows from r on, of positions from … end - 1 of the chunk from
// `begin` on: bends them within the cap, and lowers them by distance, where the model does so.
inline void change_scores(const QueryRows& rows, int64_t r, int count, int64_t begin, int64_t from,
                          int64_t end) {
    const AttentionTask& task = rows.task;
    for (int i = 0; i < count; ++i) {
        const Row& row = rows.row[r + i];
        float* scores = rows.weights + i * kWeightStride;
        const int64_t to_chunk = begin - (task.position + row.token);
        for (int64_t at = from; at < end; at += kLanes) {
            Vec score = load(scores + at);
            if (task.softcap > 0) score = softcap_lanes(score, set(task.softcap));
            if (task.slopes) {
                const float slope = task.slopes[row.head];
                score = add(score, distance_bias(task, slope, begin + at, to_chunk + at));
            }
            store(scores + at, score);
        }
    }
}

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

}  // namespace
}  // namespace foretell
