// The kernels: one table of functions for each instruction set, all with the same results.
// program/ calls them through it.
#pragma once

#include <cstdint>

#include "weights/matrix.h"

namespace foretell {

// y[n][row] = (residual[n][row] +) (bias[row] +) Σ_k W[row][k] x[n][k], for the block rows
// [block_begin, block_end) and all `tokens`. Sums run over k in one fixed order, so that a result
// does not depend on the number of tokens, threads or the instruction set.
struct LinearTask {
    const Matrix* weights;
    const float* bias;       // (rows) or null
    const float* x;          // (tokens, x_stride), for float activations
    const Quantized* codes;  // for int8 activations
    const float* residual;   // (tokens, y_stride) or null
    float* y;                // (tokens, y_stride)
    int64_t tokens, x_stride, y_stride;
    int64_t block_begin, block_end;
};

// How the KV cache keeps a value. float16 has 11 significant bits and keeps finite values past
// 65504 as 65504; bfloat16 has 8, and float32's range. q8 keeps codes of -127 … 127 with a bfloat16
// scale for each position and 32 dimensions of a key, and for each position's whole value.
enum class KvType : uint8_t { float32, float16, bfloat16, q8 };
constexpr int64_t bytes_of(KvType type) {
    return type == KvType::float32 ? 4 : type == KvType::q8 ? 1 : 2;
}

constexpr int64_t kScaleGroup = 32;  // dimensions of a key, or a query, that share a scale
constexpr int64_t scale_groups(int64_t head_dim) {
    return (head_dim + kScaleGroup - 1) / kScaleGroup;
}

// One layer's part of the paged KV cache; a block holds all layers' parts, one after the other.
// Keys of a part: [kv_head][position / 16][head_dim][position % 16]; values, after the keys:
// [kv_head][position][head_dim].
// q8: keys, plus 128: [kv_head][position / 16][head_dim / 4][position % 16][head_dim % 4]; values:
// [kv_head][position / 4][head_dim][position % 4]; then scales of keys: [kv_head][position / 16]
// [head_dim / 32][position % 16]; of values: [kv_head][position].
struct KvLayer {
    uint8_t* data;  // this layer's part of block 0
    KvType type;
    int64_t kv_heads, head_dim, block_size;
    int64_t block_bytes;  // from one block to the next

    int64_t head_values() const { return head_dim * block_size; }
    int64_t part_bytes() const { return kv_heads * head_values() * bytes_of(type); }
    uint8_t* keys(int64_t block) const { return data + block * block_bytes; }
    uint8_t* values(int64_t block) const { return keys(block) + part_bytes(); }

    int64_t key_scale_count() const { return kv_heads * block_size * scale_groups(head_dim); }
    uint16_t* key_scales(int64_t block) const {
        return reinterpret_cast<uint16_t*>(values(block) + part_bytes());
    }
    uint16_t* value_scales(int64_t block) const { return key_scales(block) + key_scale_count(); }

    // Of keys and values at one position. A layer's part of a block is a multiple of 64 bytes.
    int64_t position_bytes() const {
        const int64_t scales = kv_heads * (scale_groups(head_dim) + 1);
        const int64_t scale_bytes = type == KvType::q8 ? (scales + scales % 2) * 2 : 0;
        return 2 * kv_heads * head_dim * bytes_of(type) + scale_bytes;
    }
    int64_t layer_bytes() const { return block_size * position_bytes(); }
};

constexpr int kMaxHeadDim = 1024;

struct StoreKvTask {
    KvLayer kv;
    const float* k;  // (head_dim) of one token and head
    const float* v;
    int64_t block, slot;  // where the token goes
    int64_t head;
};

constexpr int64_t kNoWindow = INT64_MAX;
constexpr int kAttentionChunk = 256;  // positions whose partial softmax is merged at once
constexpr int kQueryTokens = 12;      // most tokens of a task
constexpr int kQueryBatch = 48;       // rows (token and head) that share a chunk in the near caches
constexpr int kMaxQueryRows = 12;     // rows that share a loaded key
constexpr int64_t kWeightStride = kAttentionChunk + 16;  // so that rows lie in different cache sets
constexpr int64_t attention_scratch(int64_t head_dim) {
    return kMaxQueryRows * (kWeightStride + head_dim) + kQueryBatch * head_dim;
}

// Softmax over single chunks, where several threads share the chunks of a row: for each token, head
// and chunk the weighted sum of values, then the largest score and the sum of weights.
struct AttentionParts {
    float* data;  // null: there are none
    int64_t heads, chunks, head_dim;

    static constexpr int64_t stride(int64_t head_dim) { return head_dim + 16; }
    float* at(int64_t token, int64_t head, int64_t chunk) const {
        return data + ((token * heads + head) * chunks + chunk) * stride(head_dim);
    }
};

// Attention of the query heads [head_begin, head_end), which share one kv head, of consecutive
// tokens of a sequence. Token t sees the last `window` positions up to position + t. The last
// positions of all tokens are in the same chunk.
struct AttentionTask {
    KvLayer kv;
    const float* q;  // (tokens, stride): heads * head_dim of each token
    float* out;      // the same shape
    int64_t stride;
    const int32_t* block_table;  // (blocks of the sequence)
    int64_t position, tokens;
    int64_t head_begin, head_end, kv_head;
    float scale;           // of the scores, as a rule 1 / sqrt(head_dim)
    int64_t window;        // at least 1; kNoWindow: all positions
    float* scratch;        // attention_scratch(head_dim) floats
    AttentionParts parts;  // if there are any, the task is one chunk of positions, and fills them
    int64_t chunk;
};

// Joins the parts of one token and head, of chunks first_chunk … last_chunk, in that order.
struct JoinTask {
    AttentionParts parts;
    int64_t token, head, first_chunk, last_chunk;
    float* out;  // (head_dim)
};

struct Kernels {
    const char* name;
    void (*linear_int8)(const LinearTask&);
    void (*linear_float)(const LinearTask&);
    // `size`: a multiple of kGroup.
    void (*quantize)(const float* x, int64_t size, QuantizedGroup* out);
    // out[i] = (residual[i] +) x[i] / sqrt(mean(x²) + eps) * weight[i]; `residual` may be null.
    void (*rms_norm)(const float* x, const float* weight, const float* residual, float eps,
                     int64_t size, float* out);
    // out[i] = (x[i] - mean(x)) / sqrt(variance(x) + eps) * weight[i] + bias[i]
    void (*layer_norm)(const float* x, const float* weight, const float* bias, float eps,
                       int64_t size, float* out);
    // out[i] = silu(gate[i]) * up[i]
    void (*silu_mul)(const float* gate, const float* up, int64_t size, float* out);
    // out[i] = gelu(gate[i]) (* up[i]), gelu in its tanh form; `up` may be null.
    void (*gelu)(const float* gate, const float* up, int64_t size, float* out);
    void (*store_kv)(const StoreKvTask&);
    void (*attention)(const AttentionTask&);
    void (*join_attention)(const JoinTask&);
    // One row of a packed matrix as float32, as exactly as the file's own dequantization.
    void (*decode_row)(const Matrix& matrix, int64_t row, float* out);
};

// The instruction sets that this build has and this processor runs, best first.
// `find_kernels` gives null for a name that is not among them.
int num_kernels();
const Kernels& kernels_at(int index);
const Kernels* find_kernels(const char* name);

}  // namespace foretell
