// Attention over a paged KV cache: rows of queries, chunk by chunk. See kernels_impl.h.
#pragma once

#include "kernels/attention_float_impl.h"
#include "kernels/attention_q8_impl.h"

namespace foretell {
namespace {

template <KvType T, int R = kMostRows>
void attend_some(QueryRows& rows, int64_t r, int64_t begin) {
    if constexpr (R > 1) {
        if (rows.count - r < R) return attend_some<T, fewer_rows(R)>(rows, r, begin);
    }
    if constexpr (T == KvType::q8) {
        attend_codes<R>(rows, r, begin);
    } else {
        attend<T, R>(rows, r, begin);
    }
}

template <KvType T>
void attend_chunks(QueryRows& rows) {
    if constexpr (T == KvType::q8) {
        pack_codes(rows);
    } else {
        pack_queries(rows);
    }
    for (int64_t chunk = rows.first_chunk(); chunk <= rows.last_chunk(); ++chunk) {
        const int64_t begin = chunk * kAttentionChunk;
        for (int64_t r = 0; r < rows.count; r += rows_at_once(rows.count - r)) {
            if (rows.unseen(r, begin) < kAttentionChunk) attend_some<T>(rows, r, begin);
        }
    }
}

void attend_chunks_of(QueryRows& rows) {
    switch (rows.task.kv.type) {
        case KvType::float32:
            return attend_chunks<KvType::float32>(rows);
        case KvType::float16:
            return attend_chunks<KvType::float16>(rows);
        case KvType::bfloat16:
            return attend_chunks<KvType::bfloat16>(rows);
        case KvType::q8:
            return attend_chunks<KvType::q8>(rows);
    }
}

// The sum of weights with that of a score beside those of positions, relative to the same largest.
inline float sum_with_sink(const Softmax& total, float sink) {
    const float largest = total.largest > sink ? total.largest : sink;
    float lane[kLanes] = {total.largest - largest, sink - largest};
    store(lane, exp_lanes(load(lane)));
    return total.sum + lane[1] / lane[0];
}

inline void divide_by_sum(const Softmax& total, const float* sink, int64_t dim) {
    const Vec sum = set(sink ? sum_with_sink(total, *sink) : total.sum);
    for (int64_t d = 0; d < dim; d += kLanes) {
        store(total.values + d, div(load(total.values + d), sum));
    }
}

void attend_all(QueryRows& rows) {
    attend_chunks_of(rows);
    const int64_t dim = rows.task.kv.head_dim;
    for (int64_t r = 0; r < rows.count; ++r) {
        const Softmax& total = rows.row[r].softmax;
        if (rows.is_part()) {
            total.values[dim] = total.largest;
            total.values[dim + 1] = total.sum;
        } else {
            divide_by_sum(total, rows.sink(r), dim);
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

void join_attention(const JoinTask& task) {
    const int64_t dim = task.parts.head_dim;
    Softmax total{0, 0, task.out};
    for (int64_t chunk = task.first_chunk; chunk <= task.last_chunk; ++chunk) {
        float* part = task.parts.at(task.token, task.head, chunk);
        join(total, {part[dim], part[dim + 1], part}, chunk == task.first_chunk, dim);
    }
    divide_by_sum(total, task.sinks ? task.sinks + task.head : nullptr, dim);
}

}  // namespace
}  // namespace foretell
