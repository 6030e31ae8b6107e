// The kernels: one table of functions for each instruction set, all with the same results.
// program/ calls them through it.
#pragma once

#include <cstdint>

#include "weights/matrix.h"

namespace foretell {

// y[n][row] = (residual[n][row] +) (bias[row] +) Σ_k W[row][k] x[n][k], for the block rows
// [block_begin, block_end) and all `tokens`. Sums run over k in one fixed order, so that a result
// does not depend on the number of tokens, threads or the instruction set.
//
// With `targets`, the result for token n is added to a row of y instead, times a factor:
// y[targets[n]][row] += factors[n] * result; no two tokens of a task have the same target.
struct LinearTask {
    const Matrix* weights;
    const float* bias;       // (rows) or null
    const float* x;          // (tokens, x_stride), for float activations
    const Quantized* codes;  // for int8 activations
    const float* residual;   // (tokens, y_stride) or null
    float* y;                // (tokens, y_stride)
    int64_t tokens, x_stride, y_stride;
    int64_t block_begin, block_end;
    const int32_t* targets = nullptr;  // (tokens) or null
    const float* factors = nullptr;    // (tokens), with targets
};

// What a router's logits are to its experts.
enum class Scoring : uint8_t {
    softmax,         // probabilities among all experts
    chosen_softmax,  // probabilities among the chosen alone
    sigmoid,         // each expert's own
    sparse_mixer,    // two probabilities, each among the experts near the best that is left
};

constexpr int kMaxExperts = 1024;

// How a token's experts are chosen: the `used` best by score (plus bias), the lower index first
// among equals, of the best `groups_used` of `groups`. A group is as good as the sum of its
// `group_best` best. The weights are the chosen experts' scores, over their sum if it normalizes,
// times the factor.
struct Routing {
    int experts = 0, used = 0;
    Scoring scoring = Scoring::softmax;
    bool normalizes = false;
    int groups = 1, groups_used = 1, group_best = 1;
    float factor = 1;
    float eps = 1e-20f;   // normalizes: what is added to the sum that weights are divided by
    float threshold = 0;  // sparse_mixer: how far below the best an expert may be, relatively
};

struct RouteTask {
    const Routing* routing;
    const float* logits;  // (experts)
    const float* bias;    // (experts), of the choice alone; or null
    int32_t* experts;     // (used): the chosen, ascending
    float* weights;       // (used): of each
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
    float softcap;         // scores become softcap * tanh(score / softcap); 0: they do not
    const float* slopes;   // (heads) or null: then scores gain slope * (position - the token's)
    bool rounds_slopes;    // or slope * position, each of the three in bfloat16, times the scale
    const float* sinks;    // (heads) or null: scores beside those of positions, with values of 0
    float* scratch;        // attention_scratch(head_dim) floats
    AttentionParts parts;  // if there are any, the task is one chunk of positions, and fills them
    int64_t chunk;
};

// Joins the parts of one token and head, of chunks first_chunk … last_chunk, in that order.
struct JoinTask {
    AttentionParts parts;
    int64_t token, head, first_chunk, last_chunk;
    const float* sinks;  // as in AttentionTask
    float* out;          // (head_dim)
};

// Layers with a state: a run of tokens of one sequence, and a share of the channels, sixteen a
// tile. `source` is the state before the run (null: zeros), `target` takes the state after it; they
// may be the same. Both are all channels'.

// y[n][i] = silu(bias[i] + Σ_k weights[i][k] x[n - taps + 1 + k][i]); with a factor, which comes
// with a gate, y = factor · (bias + Σ weights · (gate · x)).
struct ConvTask {
    const float* x;        // (tokens, stride)
    const float* gate;     // the same shape, or null
    const float* factor;   // the same shape, or null
    const float* weights;  // [tile][taps][16]
    const float* bias;     // (channels) or null
    const float* source;   // [tile][taps - 1][16]: the last inputs, gated, oldest first
    float* target;
    float* y;
    int64_t tokens, stride, taps;
    int64_t tile_begin, tile_end;
};

// Selective state spaces: step = softplus(steps[n] + step_bias), h = exp(step · rates) h +
// step · x[n] · B[n], y[n] = C[n] h + skip · x[n], where h has `state_size` components a channel.
struct ScanTask {
    const float* x;          // (tokens, x_stride): the channels of each token
    const float* steps;      // (tokens, steps_stride): one for each `head_dim` channels
    const float* b;          // (tokens, bc_stride): state_size values for each group of channels
    const float* c;          // the same shape
    const float* rates;      // [tile][state_size][16], or if they are shared [tile][16]
    const float* skip;       // (channels)
    const float* step_bias;  // (channels)
    const float* source;     // [tile][state_size][16]
    float* target;
    float* y;  // (tokens, y_stride)
    int64_t tokens, x_stride, steps_stride, bc_stride, y_stride;
    int64_t state_size, head_dim, group_channels;
    bool shares_rates;  // whether a channel's components all decay alike
    int64_t tile_begin, tile_end;
};

// The gated delta rule, of heads that each have a matrix S of `state_size` rows and `head_dim`
// columns. A token first makes S shrink by e^(rate · softplus(step + step_bias)), then moves what S
// recalls of its key towards its value: S += k ⊗ sigmoid(strength) (v - Sᵀ k); and reads
// y = Sᵀ q / sqrt(state_size). Queries and keys are first brought to length 1, and shared by
// several heads: neighbours, or where these take turns every `key_heads`-th.
struct DeltaTask {
    const float* q;          // (tokens, x_stride): state_size values for each key head
    const float* k;          // the same shape
    const float* v;          // (tokens, x_stride): head_dim values for each head, the channels
    const float* steps;      // (tokens, steps_stride): one for each head
    const float* strengths;  // (tokens, strengths_stride): the same
    const float* rates;      // (channels): those of a channel's head
    const float* step_bias;  // (channels): the same
    const float* source;     // [tile][state_size][16]
    float* target;
    float* y;  // (tokens, y_stride)
    int64_t tokens, x_stride, steps_stride, strengths_stride, y_stride;
    int64_t state_size, head_dim, heads, key_heads;
    bool takes_turns;
    int64_t tile_begin, tile_end;
};

// out[i] = f(gate[i]) (* up[i]); `up` may be null.
using Activation = void(const float* gate, const float* up, int64_t size, float* out);
struct ActivationTable {
    Activation *silu, *gelu, *gelu_erf, *relu, *relu_squared, *sigmoid;
    Activation* clamped_swiglu;  // of gate and up, never one alone
    // Of x and four constants p, n, b, e in place of `up`: p x² + b x where x > 0, else
    // (n + b) (e^min(x, e) - 1 - x) + b x.
    Activation* xielu;
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
    ActivationTable activations;
    // out[i] = cap * tanh(x[i] / cap)
    void (*softcap)(const float* x, float cap, int64_t size, float* out);
    void (*store_kv)(const StoreKvTask&);
    void (*attention)(const AttentionTask&);
    void (*join_attention)(const JoinTask&);
    void (*causal_conv)(const ConvTask&);
    void (*selective_scan)(const ScanTask&);
    void (*delta_rule)(const DeltaTask&);
    // One row of a packed matrix as float32, as exactly as the file's own dequantization.
    void (*decode_row)(const Matrix& matrix, int64_t row, float* out);
    void (*route)(const RouteTask&);
    // out[i] = residual[i] + sigmoid(gate) * x[i]
    void (*add_gated)(const float* residual, float gate, const float* x, int64_t size, float* out);
};

// The instruction sets that this build has and this processor runs, best first.
// `find_kernels` gives null for a name that is not among them.
int num_kernels();
const Kernels& kernels_at(int index);
const Kernels* find_kernels(const char* name);

}  // namespace foretell
