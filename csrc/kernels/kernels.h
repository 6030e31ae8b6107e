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
// 65504 as 65504; bfloat16 has 8, and float32's range.
enum class KvType : uint8_t { float32, float16, bfloat16 };
constexpr int64_t bytes_of(KvType type) { return type == KvType::float32 ? 4 : 2; }

// One layer's part of the paged KV cache; a block holds all layers' parts, one after the other.
// Keys of a part: [kv_head][position / 16][head_dim][position % 16]; values, after the keys:
// [kv_head][position][head_dim].
struct KvLayer {
    uint8_t* data;  // this layer's part of block 0
    KvType type;
    int64_t kv_heads, head_dim, block_size;
    int64_t block_bytes;  // from one block to the next

    int64_t head_values() const { return head_dim * block_size; }
    int64_t part_bytes() const { return kv_heads * head_values() * bytes_of(type); }
    uint8_t* keys(int64_t block) const { return data + block * block_bytes; }
    uint8_t* values(int64_t block) const { return keys(block) + part_bytes(); }
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
    float scale;     // of the scores, as a rule 1 / sqrt(head_dim)
    int64_t window;  // at least 1; kNoWindow: all positions
    float* scratch;  // attention_scratch(head_dim) floats
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
    // One row of a packed matrix as float32, as exactly as the file's own dequantization.
    void (*decode_row)(const Matrix& matrix, int64_t row, float* out);
};

// The instruction sets that this build has and this processor runs, best first.
// `find_kernels` gives null for a name that is not among them.
int num_kernels();
const Kernels& kernels_at(int index);
const Kernels* find_kernels(const char* name);

}  // namespace foretell
