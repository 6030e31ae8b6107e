// Each operation's part for one member of the team. See program.h.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "program.h"

namespace foretell {
namespace {

// Calls `use(row, begin, end)` for the member's share of `rows` rows of `units` units each,
// a call for each row that the share touches.
template <class Use>
void each_piece(int64_t rows, int64_t units, int member, int size, Use use) {
    const Share share = share_of(rows * units, member, size);
    for (int64_t at = share.begin; at < share.end;) {
        const int64_t row = at / units, begin = at % units;
        const int64_t end = std::min(units, begin + share.end - at);
        use(row, begin, end);
        at += end - begin;
    }
}

// Tokens of one sequence that attend together, and the heads of them that are a member's.
struct Tile {
    int64_t token, count;
    int64_t head_begin, head_end;
};

// Positions that one head of tokens n … n + count - 1 reads, and a few for its other costs.
int64_t attention_cost(const Step& step, int64_t n, int64_t count) {
    constexpr int64_t kOther = 16;
    return count * (step.positions[n] + kOther) + count * (count + 1) / 2;
}

// Calls `use(n, count)` for every tile of the step: at most kQueryTokens tokens of one sequence,
// whose last positions are in the same chunk.
template <class Use>
void cut_tiles(const Step& step, Use use) {
    for (int64_t s = 0; s < step.num_sequences; ++s) {
        for (int64_t n = step.starts[s], count; n < step.starts[s + 1]; n += count) {
            const int64_t to_chunk_end = kAttentionChunk - step.positions[n] % kAttentionChunk;
            count = std::min({int64_t{kQueryTokens}, step.starts[s + 1] - n, to_chunk_end});
            use(n, count);
        }
    }
}

// Calls `use(tile)` for the tiles, and their heads, that fall to a member: an even share of the
// positions read, for late tokens cost more than early ones.
template <class Use>
void each_tile(const Step& step, int64_t heads, int member, int size, Use use) {
    int64_t total = 0, before = 0;
    cut_tiles(step,
              [&](int64_t n, int64_t count) { total += heads * attention_cost(step, n, count); });
    const Share share = share_of(total, member, size);
    cut_tiles(step, [&](int64_t n, int64_t count) {
        const int64_t cost = attention_cost(step, n, count);
        const auto heads_before = [&](int64_t limit) {
            return std::clamp<int64_t>((limit - before + cost / 2) / cost, 0, heads);
        };
        const Tile tile{n, count, heads_before(share.begin), heads_before(share.end)};
        if (tile.head_begin < tile.head_end) use(tile);
        before += heads * cost;
    });
}

void rotate(const float* x, const float* angles, int64_t half, int64_t dim, bool interleaved,
            float* out) {
    const int64_t next = interleaved ? 1 : half, step = interleaved ? 2 : 1;
    for (int64_t i = 0; i < half; ++i) {
        const float cos = angles[i], sin = angles[half + i];
        const float x0 = x[i * step], x1 = x[i * step + next];
        out[i * step] = x0 * cos - x1 * sin;
        out[i * step + next] = x1 * cos + x0 * sin;
    }
    for (int64_t i = 2 * half; i < dim; ++i) out[i] = x[i];
}

}  // namespace

void Program::run(const Op& op, int member) {
    switch (op.kind) {
        case OpKind::embed:
            return embed(op, member);
        case OpKind::rotary:
            return rotary(op, member);
        case OpKind::rms_norm:
            return rms_norm(op, member);
        case OpKind::quantize:
            return quantize(op, member);
        case OpKind::linear:
            return linear(op, member);
        case OpKind::rope:
            return rope(op, member);
        case OpKind::store_kv:
            return store_kv(op, member);
        case OpKind::attention:
            return attention(op, member);
        case OpKind::silu_mul:
            return silu_mul(op, member);
        case OpKind::pick_rows:
            return pick_rows(op, member);
    }
}

KvLayer Program::layer(int index) const {
    KvLayer layer{cache_.data(), kv_.type, kv_.kv_heads, kv_.head_dim, kv_.block_size, 0};
    const int64_t layer_bytes = 2 * layer.part_bytes();
    layer.data += index * layer_bytes;
    layer.block_bytes = kv_.layers * layer_bytes;
    return layer;
}

int32_t Program::block_of(int64_t token) const {
    const int32_t* table = step_.block_tables + sequence_of_[token] * step_.table_width;
    return table[step_.positions[token] / kv_.block_size];
}

void Program::embed(const Op& op, int member) {
    const Share share = share_of(step_.num_tokens, member, team_.size());
    for (int64_t n = share.begin; n < share.end; ++n) {
        kernels_.decode_row(matrices_[op.matrix], step_.tokens[n], buffers_[op.out].row(n));
    }
}

void Program::rotary(const Op& op, int member) {
    const Vector& frequencies = vectors_[op.vector];
    each_piece(step_.num_tokens, frequencies.size, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   float* row = buffers_[op.out].row(n);
                   const float position = static_cast<float>(step_.positions[n]);
                   for (int64_t i = begin; i < end; ++i) {
                       const float angle = position * frequencies.data[i];
                       row[i] = std::cos(angle);
                       row[frequencies.size + i] = std::sin(angle);
                   }
               });
}

void Program::rms_norm(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const int64_t rows = rows_of(out.of_wanted);
    const Share share = share_of(rows, member, team_.size());
    for (int64_t n = share.begin; n < share.end; ++n) {
        kernels_.rms_norm(buffers_[op.a].row(n), vectors_[op.vector].data, op.number, out.width,
                          out.row(n));
        if (op.codes >= 0) {
            kernels_.quantize(out.row(n), out.width, codes_[op.codes].view.row(n));
        }
    }
}

void Program::quantize(const Op& op, int member) {
    const QuantizedRows& codes = codes_[op.codes];
    const int64_t rows = rows_of(codes.of_wanted);
    each_piece(rows, codes.view.cols / kGroup, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   kernels_.quantize(buffers_[op.a].row(n) + begin * kGroup, (end - begin) * kGroup,
                                     codes.view.row(n) + begin);
               });
}

void Program::linear(const Op& op, int member) {
    const Matrix& matrix = matrices_[op.matrix];
    const Rows& out = buffers_[op.out];
    const Share share = share_of(matrix.num_blocks(), member, team_.size());
    LinearTask task{};
    task.weights = &matrix;
    task.bias = op.vector >= 0 ? vectors_[op.vector].data : nullptr;
    task.residual = op.b >= 0 ? buffers_[op.b].row(0) : nullptr;
    task.y = out.row(0);
    task.tokens = rows_of(out.of_wanted);
    task.y_stride = out.stride;
    task.block_begin = share.begin;
    task.block_end = share.end;
    if (op.codes >= 0) {
        task.codes = &codes_[op.codes].view;
        kernels_.linear_int8(task);
    } else {
        task.x = buffers_[op.a].row(0);
        task.x_stride = buffers_[op.a].stride;
        kernels_.linear_float(task);
    }
}

void Program::rope(const Op& op, int member) {
    const int64_t dim = buffers_[op.a].width / op.heads, half = buffers_[op.b].width / 2;
    each_piece(step_.num_tokens, op.heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t head = begin; head < end; ++head) {
                       rotate(buffers_[op.a].row(n) + head * dim, buffers_[op.b].row(n), half, dim,
                              op.interleaved, buffers_[op.out].row(n) + head * dim);
                   }
               });
}

void Program::store_kv(const Op& op, int member) {
    const KvLayer kv = layer(op.layer);
    each_piece(step_.num_tokens, kv.kv_heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t head = begin; head < end; ++head) {
                       const float* k = buffers_[op.a].row(n) + head * kv.head_dim;
                       float rotated[kMaxHeadDim];
                       if (op.c >= 0) {
                           rotate(k, buffers_[op.c].row(n), buffers_[op.c].width / 2, kv.head_dim,
                                  op.interleaved, rotated);
                           k = rotated;
                       }
                       kernels_.store_kv({kv, k, buffers_[op.b].row(n) + head * kv.head_dim,
                                          block_of(n), step_.positions[n] % kv.block_size, head});
                   }
               });
}

void Program::attention(const Op& op, int member) {
    const KvLayer kv = layer(op.layer);
    const int64_t heads_per_kv = op.heads / kv.kv_heads;
    AttentionTask task{};
    task.kv = kv;
    task.scale = op.number;
    task.stride = buffers_[op.a].stride;
    task.scratch = scratch_[member].as<float>();
    each_tile(step_, op.heads, member, team_.size(), [&](const Tile& tile) {
        const int64_t n = tile.token, dim = kv.head_dim;
        task.q = buffers_[op.a].row(n);
        task.out = buffers_[op.out].row(n);
        task.block_table = step_.block_tables + sequence_of_[n] * step_.table_width;
        task.position = step_.positions[n];
        task.tokens = tile.count;
        for (int64_t head = tile.head_begin; head < tile.head_end; head = task.head_end) {
            task.kv_head = head / heads_per_kv;
            task.head_begin = head;
            task.head_end = std::min(tile.head_end, (task.kv_head + 1) * heads_per_kv);
            kernels_.attention(task);
        }
        if (op.codes < 0) return;
        const int64_t from = tile.head_begin * dim, size = tile.head_end * dim - from;
        for (int64_t t = n; t < n + tile.count; ++t) {
            kernels_.quantize(buffers_[op.out].row(t) + from, size,
                              codes_[op.codes].view.row(t) + from / kGroup);
        }
    });
}

void Program::silu_mul(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const int64_t rows = rows_of(out.of_wanted), units = (out.width + kGroup - 1) / kGroup;
    each_piece(rows, units, member, team_.size(), [&](int64_t n, int64_t begin, int64_t end) {
        const int64_t from = begin * kGroup, to = std::min(end * kGroup, out.width);
        kernels_.silu_mul(buffers_[op.a].row(n) + from, buffers_[op.b].row(n) + from, to - from,
                          out.row(n) + from);
        if (op.codes >= 0) {
            kernels_.quantize(out.row(n) + from, to - from, codes_[op.codes].view.row(n) + begin);
        }
    });
}

void Program::pick_rows(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const Share share = share_of(step_.num_wanted, member, team_.size());
    for (int64_t r = share.begin; r < share.end; ++r) {
        std::memcpy(out.row(r), buffers_[op.a].row(step_.wanted[r]), out.width * sizeof(float));
    }
}

}  // namespace foretell
