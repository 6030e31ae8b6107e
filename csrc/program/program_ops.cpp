// Each operation's part for one member of the team. See program.h.

#include <algorithm>
#include <cstring>

#include "program/angles.h"
#include "program/pieces.h"
#include "program/program.h"

namespace foretell {
namespace {

// The first position that a token sees.
int64_t first_seen(int64_t position, int64_t window) {
    return position >= window ? position - window + 1 : 0;
}

// `count` tokens of one sequence, from `token` of the batch on, that attend together, and the heads
// that a member computes for them.
struct Tile {
    int64_t token, count;
    int64_t head_begin, head_end;
};

// Positions that one head of tokens n … n + count - 1 reads, and a few for its other costs.
int64_t attention_cost(const Batch& batch, int64_t n, int64_t count, int64_t window) {
    constexpr int64_t kOther = 16;
    const int64_t before = std::min<int64_t>(batch.positions[n], window);
    return count * (before + kOther) + count * (count + 1) / 2;
}

// Calls `use(n, count)` for every tile of the batch: at most kQueryTokens tokens of one sequence,
// whose last positions are in the same chunk.
template <class Use>
void cut_tiles(const Batch& batch, Use use) {
    for (int64_t s = 0; s < batch.num_sequences; ++s) {
        for (int64_t n = batch.starts[s], count; n < batch.starts[s + 1]; n += count) {
            const int64_t to_chunk_end = kAttentionChunk - batch.positions[n] % kAttentionChunk;
            count = std::min({int64_t{kQueryTokens}, batch.starts[s + 1] - n, to_chunk_end});
            use(n, count);
        }
    }
}

// Calls `use(tile)` for the tiles, and their heads, that fall to a member: an even share of the
// positions read, since late tokens cost more than early ones.
template <class Use>
void each_tile(const Batch& batch, int64_t heads, int64_t window, int member, int size, Use use) {
    int64_t total = 0, before = 0;
    cut_tiles(batch, [&](int64_t n, int64_t count) {
        total += heads * attention_cost(batch, n, count, window);
    });
    const Share share = share_of(total, member, size);
    cut_tiles(batch, [&](int64_t n, int64_t count) {
        const int64_t cost = attention_cost(batch, n, count, window);
        const auto heads_before = [&](int64_t limit) {
            return std::clamp<int64_t>((limit - before + cost / 2) / cost, 0, heads);
        };
        const Tile tile{n, count, heads_before(share.begin), heads_before(share.end)};
        if (tile.head_begin < tile.head_end) use(tile);
        before += heads * cost;
    });
}

// A chunk of positions of a tile, and the kv heads that a member computes there.
struct ChunkShare {
    int64_t token, count;
    int64_t chunk;
    int64_t head_begin, head_end;
};

// Calls `use(share)` for the chunks that fall to a member: an even share of the positions read.
template <class Use>
void each_chunk(const Batch& batch, int64_t kv_heads, int64_t window, int member, int size,
                Use use) {
    const auto each_of_all = [&](auto use_chunk) {
        cut_tiles(batch, [&](int64_t n, int64_t count) {
            const int64_t first = first_seen(batch.positions[n], window);
            const int64_t end = batch.positions[n] + count;
            for (int64_t c = first / kAttentionChunk; c * kAttentionChunk < end; ++c) {
                const int64_t from = std::max(first, c * kAttentionChunk);
                const int64_t to = std::min(end, (c + 1) * kAttentionChunk);
                use_chunk(n, count, c, to - from);
            }
        });
    };
    int64_t total = 0, before = 0;
    each_of_all([&](int64_t, int64_t, int64_t, int64_t cost) { total += kv_heads * cost; });
    const Share share = share_of(total, member, size);
    each_of_all([&](int64_t n, int64_t count, int64_t chunk, int64_t cost) {
        const auto heads_before = [&](int64_t limit) {
            return std::clamp<int64_t>((limit - before + cost / 2) / cost, 0, kv_heads);
        };
        const ChunkShare part{n, count, chunk, heads_before(share.begin), heads_before(share.end)};
        if (part.head_begin < part.head_end) use(part);
        before += kv_heads * cost;
    });
}

// `table`: cos, then sin, of `half` angles.
void rotate(const float* x, const float* table, int64_t half, int64_t dim, bool interleaved,
            float* out) {
    const int64_t next = interleaved ? 1 : half, step = interleaved ? 2 : 1;
    for (int64_t i = 0; i < half; ++i) {
        const float cos = table[i], sin = table[half + i];
        const float x0 = x[i * step], x1 = x[i * step + next];
        out[i * step] = x0 * cos - x1 * sin;
        out[i * step + next] = x1 * cos + x0 * sin;
    }
    for (int64_t i = 2 * half; i < dim; ++i) out[i] = x[i];
}

Activation* activation_of(OpKind kind, const ActivationTable& all) {
    switch (kind) {
        case OpKind::gelu:
            return all.gelu;
        case OpKind::gelu_erf:
            return all.gelu_erf;
        case OpKind::relu:
            return all.relu;
        case OpKind::relu_squared:
            return all.relu_squared;
        case OpKind::sigmoid:
            return all.sigmoid;
        case OpKind::clamped_swiglu:
            return all.clamped_swiglu;
        case OpKind::xielu:
            return all.xielu;
        default:
            return all.silu;
    }
}

}  // namespace

void Program::run(const Op& op, int member) {
    switch (op.kind) {
        case OpKind::embed:
            return embed(op, member);
        case OpKind::rope_table:
            return rope_table(op, member);
        case OpKind::add_positions:
            return add_positions(op, member);
        case OpKind::scale:
        case OpKind::add:
        case OpKind::clamp:
            return combine(op, member);
        case OpKind::softcap:
            return softcap(op, member);
        case OpKind::rms_norm:
            return rms_norm(op, member);
        case OpKind::layer_norm:
            return layer_norm(op, member);
        case OpKind::quantize:
            return quantize(op, member);
        case OpKind::permute:
            return permute(op, member);
        case OpKind::join_heads:
            return join_heads(op, member);
        case OpKind::linear:
            return linear(op, member);
        case OpKind::linear_heads:
            return linear_heads(op, member);
        case OpKind::rope:
            return rope(op, member);
        case OpKind::store_kv:
            return store_kv(op, member);
        case OpKind::attention:
            return attention(op, member);
        case OpKind::silu_mul:
        case OpKind::gelu:
        case OpKind::gelu_erf:
        case OpKind::relu:
        case OpKind::relu_squared:
        case OpKind::sigmoid:
        case OpKind::clamped_swiglu:
        case OpKind::xielu:
            return activate(op, member);
        case OpKind::gather_rows:
            return gather_rows(op, member);
        case OpKind::causal_conv:
        case OpKind::gated_conv:
            return causal_conv(op, member);
        case OpKind::selective_scan:
            return selective_scan(op, member);
        case OpKind::delta_rule:
            return delta_rule(op, member);
        case OpKind::keep_rows:
            return keep_rows(op, member);
        case OpKind::route:
            return route(op, member);
        case OpKind::dispatch:
            return dispatch(op, member);
        case OpKind::experts:
            return experts(op, member);
        case OpKind::combine:
            return combine_experts(op, member);
        case OpKind::add_gated:
            return add_gated(op, member);
    }
}

int32_t Program::block_of(int64_t token) const {
    const int32_t* table = batch_.block_tables + sequence_of_[token] * batch_.table_width;
    return table[batch_.positions[token] / kv_.block_size];
}

void Program::look_up(const Op& op, int64_t row, int member, float* out) {
    if (op.file_rows >= 0) {
        unpackers_[member].decode(kernels_, file_rows_[op.file_rows], row, out);
    } else {
        kernels_.decode_row(matrices_[op.matrix], row, out);
    }
}

void Program::embed(const Op& op, int member) {
    const Share share = share_of(batch_.num_tokens, member, team_.size());
    const Rows& out = buffers_[op.out];
    for (int64_t n = share.begin; n < share.end; ++n) {
        look_up(op, batch_.tokens[n], member, out.row(n));
        if (op.scalar == 1) continue;
        for (int64_t i = 0; i < out.width; ++i) out.row(n)[i] *= op.scalar;
    }
}

void Program::add_positions(const Op& op, int member) {
    const Share share = share_of(batch_.num_tokens, member, team_.size());
    const Rows& out = buffers_[op.out];
    for (int64_t n = share.begin; n < share.end; ++n) {
        look_up(op, batch_.positions[n], member, out.row(n));
        for (int64_t i = 0; i < out.width; ++i) out.row(n)[i] += buffers_[op.a].row(n)[i];
    }
}

void Program::combine(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const auto piece = [&](int64_t n, int64_t begin, int64_t end) {
        const float* a = buffers_[op.a].row(n);
        float* row = out.row(n);
        if (op.kind == OpKind::scale) {
            for (int64_t i = begin; i < end; ++i) row[i] = op.scalar * a[i];
            return;
        }
        if (op.kind == OpKind::clamp) {  // NaN stays
            for (int64_t i = begin; i < end; ++i) {
                row[i] = std::min(std::max(a[i], -op.scalar), op.scalar);
            }
            return;
        }
        const float* b = buffers_[op.b].row(n);
        for (int64_t i = begin; i < end; ++i) row[i] = a[i] + op.scalar * b[i];
    };
    each_piece(rows_of(out.per_output), out.width, member, team_.size(), piece);
}

void Program::softcap(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    each_piece(rows_of(out.per_output), out.width, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   kernels_.softcap(buffers_[op.a].row(n) + begin, op.scalar, end - begin,
                                    out.row(n) + begin);
               });
}

void Program::rope_table(const Op& op, int member) {
    const Vector& frequencies = vectors_[op.vector];
    each_piece(batch_.num_tokens, frequencies.size, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   float* row = buffers_[op.out].row(n);
                   const float position = static_cast<float>(batch_.positions[n]);
                   for (int64_t i = begin; i < end; ++i) {
                       const CosSin angle = cos_sin(position * frequencies.data[i]);
                       row[i] = angle.cos * op.scalar;
                       row[frequencies.size + i] = angle.sin * op.scalar;
                   }
               });
}

void Program::rms_norm(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const int64_t heads = std::max(op.heads, 1), dim = out.width / heads;
    const Vector& weights = vectors_[op.vector];
    each_piece(rows_of(out.per_output), heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t at = begin * dim; at < end * dim; at += dim) {
                       const float* residual = op.b >= 0 ? buffers_[op.b].row(n) + at : nullptr;
                       kernels_.rms_norm(buffers_[op.a].row(n) + at,
                                         weights.data + at % weights.size, residual, op.scalar, dim,
                                         out.row(n) + at);
                   }
                   quantize_part(op, n, begin * dim, end * dim);
               });
}

void Program::layer_norm(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const int64_t heads = std::max(op.heads, 1), dim = out.width / heads;
    const int64_t num_weights = vectors_[op.vector].size / 2;
    each_piece(rows_of(out.per_output), heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t at = begin * dim; at < end * dim; at += dim) {
                       const float* weight = vectors_[op.vector].data + at % num_weights;
                       kernels_.layer_norm(buffers_[op.a].row(n) + at, weight, weight + num_weights,
                                           op.scalar, dim, out.row(n) + at);
                   }
                   quantize_part(op, n, begin * dim, end * dim);
               });
}

// Values from … to - 1, whole groups, of one row of what the operation made.
void Program::quantize_part(const Op& op, int64_t row, int64_t from, int64_t to) {
    if (op.codes < 0) return;
    kernels_.quantize(buffers_[op.out].row(row) + from, to - from,
                      codes_[op.codes].view.row(row) + from / kGroup);
}

void Program::quantize(const Op& op, int member) {
    const QuantizedRows& codes = codes_[op.codes];
    const int64_t rows = rows_of(codes.per_output);
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
    task.tokens = rows_of(out.per_output);
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
    each_piece(batch_.num_tokens, op.heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t head = begin; head < end; ++head) {
                       rotate(buffers_[op.a].row(n) + head * dim, buffers_[op.b].row(n), half, dim,
                              op.interleaved, buffers_[op.out].row(n) + head * dim);
                   }
               });
}

void Program::store_kv(const Op& op, int member) {
    const KvLayer& kv = kv_layers_[op.layer];
    each_piece(batch_.num_tokens, kv.kv_heads, member, team_.size(),
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
                                          block_of(n), batch_.positions[n] % kv.block_size, head});
                   }
               });
}

void Program::attention(const Op& op, int member) {
    AttentionTask task{};
    task.kv = kv_layers_[op.layer];
    const int64_t heads_per_kv = op.heads / task.kv.kv_heads, dim = task.kv.head_dim;
    task.scale = op.scalar;
    task.window = op.window > 0 ? op.window : kNoWindow;
    task.softcap = op.softcap;
    task.slopes = op.slopes >= 0 ? vectors_[op.slopes].data : nullptr;
    task.rounds_slopes = op.rounds_slopes;
    task.sinks = op.vector >= 0 ? vectors_[op.vector].data : nullptr;
    task.stride = buffers_[op.a].stride;
    task.scratch = scratch_[member].as<float>();
    if (parts_.data) {
        attend_chunks(op, member, task);
        team_.barrier();
        return join_chunks(op, member);
    }
    each_tile(batch_, op.heads, task.window, member, team_.size(), [&](const Tile& tile) {
        set_tile(op, tile.token, tile.count, task);
        for (int64_t head = tile.head_begin; head < tile.head_end; head = task.head_end) {
            task.kv_head = head / heads_per_kv;
            task.head_begin = head;
            task.head_end = std::min(tile.head_end, (task.kv_head + 1) * heads_per_kv);
            kernels_.attention(task);
        }
        for (int64_t t = tile.token; t < tile.token + tile.count; ++t) {
            quantize_part(op, t, tile.head_begin * dim, tile.head_end * dim);
        }
    });
}

void Program::set_tile(const Op& op, int64_t token, int64_t count, AttentionTask& task) const {
    task.q = buffers_[op.a].row(token);
    task.out = buffers_[op.out].row(token);
    task.block_table = batch_.block_tables + sequence_of_[token] * batch_.table_width;
    task.position = batch_.positions[token];
    task.tokens = count;
}

// The batch's parts, laid out for this layer's heads.
AttentionParts Program::parts_of(const Op& op) const {
    AttentionParts parts = parts_;
    parts.head_dim = kv_layers_[op.layer].head_dim;
    return parts;
}

// A member's even share of the chunks of all tiles, and of the kv heads of each.
void Program::attend_chunks(const Op& op, int member, AttentionTask task) {
    const int64_t heads_per_kv = op.heads / task.kv.kv_heads;
    each_chunk(
        batch_, task.kv.kv_heads, task.window, member, team_.size(), [&](const ChunkShare& share) {
            set_tile(op, share.token, share.count, task);
            task.chunk = share.chunk;
            task.parts = parts_of(op);
            task.parts.data = task.parts.at(share.token, 0, 0);
            for (task.kv_head = share.head_begin; task.kv_head < share.head_end; ++task.kv_head) {
                task.head_begin = task.kv_head * heads_per_kv;
                task.head_end = task.head_begin + heads_per_kv;
                kernels_.attention(task);
            }
        });
}

void Program::join_chunks(const Op& op, int member) {
    const AttentionParts parts = parts_of(op);
    const int64_t dim = parts.head_dim;
    const float* sinks = op.vector >= 0 ? vectors_[op.vector].data : nullptr;
    each_piece(batch_.num_tokens, op.heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   const int64_t last = batch_.positions[n];
                   const int64_t first = first_seen(last, op.window > 0 ? op.window : kNoWindow);
                   for (int64_t head = begin; head < end; ++head) {
                       kernels_.join_attention({parts, n, head, first / kAttentionChunk,
                                                last / kAttentionChunk, sinks,
                                                buffers_[op.out].row(n) + head * dim});
                   }
                   quantize_part(op, n, begin * dim, end * dim);
               });
}

void Program::activate(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const auto apply = activation_of(op.kind, kernels_.activations);
    const float* constants = op.vector >= 0 ? vectors_[op.vector].data : nullptr;
    const int64_t rows = rows_of(out.per_output), units = (out.width + kGroup - 1) / kGroup;
    each_piece(rows, units, member, team_.size(), [&](int64_t n, int64_t begin, int64_t end) {
        const int64_t from = begin * kGroup, to = std::min(end * kGroup, out.width);
        const float* factor = op.b >= 0 ? buffers_[op.b].row(n) + from : constants;
        apply(buffers_[op.a].row(n) + from, factor, to - from, out.row(n) + from);
        quantize_part(op, n, from, to);
    });
}

void Program::permute(const Op& op, int member) {
    const Rows &from = buffers_[op.a], &out = buffers_[op.out];
    const float* places = vectors_[op.vector].data;
    const Share share = share_of(rows_of(out.per_output), member, team_.size());
    for (int64_t r = share.begin; r < share.end; ++r) {
        const float* x = from.row(r);
        for (int64_t i = 0; i < out.width; ++i) out.row(r)[i] = x[static_cast<int64_t>(places[i])];
    }
}

void Program::gather_rows(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const Share share = share_of(num_outputs_, member, team_.size());
    for (int64_t r = share.begin; r < share.end; ++r) {
        std::memcpy(out.row(r), buffers_[op.a].row(gathered_[r]), out.width * sizeof(float));
    }
}

void Program::keep_rows(const Op& op, int member) {
    for (int64_t p = member; p < asked_.num_early; p += team_.size()) {
        if (asked_.early[2 * p + 1] != op.layer) continue;
        const int32_t token = batch_.logits_indices[asked_.early[2 * p]];
        std::memcpy(early_.row(p), buffers_[op.a].row(token), early_.width * sizeof(float));
    }
}

// The output's product of the rows that were kept of early layers.
void Program::end_early(int member) {
    const Op& output = output_op();
    const Matrix& matrix = matrices_[output.matrix];
    team_.barrier();
    if (output.codes >= 0) {
        for (int64_t p = member; p < asked_.num_early; p += team_.size()) {
            kernels_.quantize(early_.row(p), early_.width, early_codes_.view.row(p));
        }
        team_.barrier();
    }
    const Share share = share_of(matrix.num_blocks(), member, team_.size());
    LinearTask task{};
    task.weights = &matrix;
    task.bias = output.vector >= 0 ? vectors_[output.vector].data : nullptr;
    task.y = early_logits_.row(0);
    task.tokens = asked_.num_early;
    task.y_stride = early_logits_.stride;
    task.block_begin = share.begin;
    task.block_end = share.end;
    if (output.codes >= 0) {
        task.codes = &early_codes_.view;
        kernels_.linear_int8(task);
    } else {
        task.x = early_.row(0);
        task.x_stride = early_.stride;
        kernels_.linear_float(task);
    }
}

// What the output's product reads is the last hidden state.
void Program::copy_hidden(int member) {
    const Rows& last = buffers_[output_op().a];
    const Share share = share_of(asked_.num_hidden, member, team_.size());
    for (int64_t h = share.begin; h < share.end; ++h) {
        std::memcpy(hidden_.as<float>() + h * last.width, last.row(hidden_rows_[h]),
                    last.width * sizeof(float));
    }
}

}  // namespace foretell
