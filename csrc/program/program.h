// The walk: a model as a flat list of kernel calls, which a team of threads walks once a batch.
// bindings/core.cpp makes it and calls it.
//
// The list is written from Python (backends/native/compile.py): buffers, weights, then operations
// in order. `finish` works out where threads must wait for each other; `forward` walks the list.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "system/gate.h"
#include "system/memory.h"
#include "system/threads.h"
#include "weights/file_rows.h"
#include "weights/packing.h"

namespace foretell {

// Norms (of whole rows), attention and activations also quantize their results, into `codes`.
enum class OpKind : uint8_t {
    embed,          // out = rows of `matrix`, by token id, times `scalar`
    add_positions,  // out = a + rows of `matrix`, by position
    rope_table,     // out = cos, then sin, of position * inverse frequencies (`vector`)
    rms_norm,       // out = (b +) a / rms(a) * vector, for each of `heads` equal parts of a
    layer_norm,     // out = (a - mean) / deviation * vector's first half + its second half
    quantize,       // codes = a as int8
    linear,         // out = (b +) matrix @ a, from `codes` if there are any, else from a
    rope,           // out = a with its heads rotated by the rope table b
    store_kv,       // writes keys a (rotated by the rope table c, if any) and values b to the cache
    attention,      // out = attention of queries a to the last `window` positions (0: to all)
    silu_mul,       // out = silu(a) * b
    gelu,           // out = gelu(a) (* b), in its tanh form
    gather_rows,    // out = the rows of a whose logits are asked for
};

// Operands are indices of buffers, matrices and vectors; -1 where an operation has none.
struct Op {
    OpKind kind;
    int a = -1, b = -1, c = -1, out = -1;
    int codes = -1;
    int matrix = -1, vector = -1;
    int file_rows = -1;  // in place of `matrix` (embed, add_positions)
    int layer = -1;
    int heads = 0;             // heads in a row of a (rms_norm, rope, store_kv, attention)
    float scalar = 1;          // factor (embed), eps (norms), scale (attention)
    int window = 0;            // positions that a token sees, itself included (attention)
    bool interleaved = false;  // rope: pairs (2i, 2i + 1), else (i, i + half)
    bool wait = false;         // a barrier comes first; set by `finish`
};

// N tokens of S sequences, end to end, R of which need logits: see Batch in backends/base.py.
struct Batch {
    const int32_t* tokens;          // (N)
    const int32_t* positions;       // (N), in each token's sequence
    const int32_t* starts;          // (S + 1): of the sequences' tokens
    const int32_t* block_tables;    // (S, table_width)
    const int32_t* logits_indices;  // (R), into tokens
    int64_t num_tokens, num_sequences, table_width, num_logits;
};

// The whole KV cache; one layer's part of it is a KvLayer (kernels.h).
struct KvShape {
    int64_t layers, kv_heads, head_dim, block_size, num_blocks;
    KvType type;
};

// Whoever has the memory that a weight is read from.
using Owner = std::shared_ptr<const void>;

// Belongs to one caller at a time: a call that comes while another is under way throws
// std::runtime_error.
class Program {
  public:
    Program(const Kernels& kernels, int threads, int64_t max_tokens, const KvShape& kv);

    // Room for so many matrices and vectors of this many bytes in all, in one piece; more is taken
    // as needed.
    void reserve(size_t bytes, size_t count);
    // Weights are copied (packed) by `pack`, until which the owner of their bytes is held; `bytes`
    // is a whole tensor in the file's layout.
    int add_matrix(const FileType& type, const uint8_t* bytes, int64_t rows, int64_t cols,
                   Owner owner);
    // Packs the matrices that were added since the last call. Returns the index of the first that
    // holds NaN or infinite weights, -1 if none does.
    int pack();
    // Weights that are looked up by row where they lie; the owner of their bytes is held. They are
    // not looked at yet: see are_finite.
    int add_file_rows(const FileType& type, const uint8_t* bytes, int64_t rows, int64_t cols,
                      Owner owner);
    // Whether rows [begin, end) of such a matrix hold finite scales and float weights alone.
    bool are_finite(int file_rows, int64_t begin, int64_t end);
    int add_vector(const float* values, int64_t size);
    // `per_output`: a row for each row of logits, else for each token.
    int add_buffer(int64_t width, bool per_output);
    int add_codes(int64_t width, bool per_output);
    void add_op(const Op& op);
    // The last operation's output is the logits.
    void finish();

    // Returns (num_logits, vocab_size) logits, valid until the next call. Throws
    // std::invalid_argument if the batch names what is not there.
    const float* forward(const Batch& batch);
    void copy_blocks(const int32_t* pairs, int64_t count);

    int64_t vocab_size() const { return buffers_[ops_.back().out].width; }
    const Matrix& matrix(int index) const { return matrices_.at(index); }
    const Kernels& kernels() const { return kernels_; }
    int threads() const { return team_.size(); }

  private:
    struct Rows {
        int64_t width, stride;
        bool per_output;
        Buffer memory;  // float32 (max_tokens, stride); of the logits: (num_logits, vocab_size)
        float* row(int64_t i) const { return memory.as<float>() + i * stride; }
    };
    struct QuantizedRows {
        bool per_output;
        Buffer memory;  // (max_tokens, width / kGroup) groups
        Quantized view;
    };
    struct Waiting {
        const FileType* type;
        const uint8_t* bytes;
        int matrix;
        Owner owner;
    };
    struct Vector {
        const float* data;  // (size)
        int64_t size;
    };

    void check(const Batch& batch) const;
    void check_operands(const Op& op) const;
    void fit_logits(int64_t rows);
    void fit_parts();
    int64_t rows_of(bool per_output) const {
        return per_output ? batch_.num_logits : batch_.num_tokens;
    }
    KvLayer layer(int index) const;
    int32_t block_of(int64_t token) const;

    void run(const Op& op, int member);
    void look_up(const Op& op, int64_t row, int member, float* out);
    int64_t num_rows(const Op& op) const;
    void embed(const Op& op, int member);
    void rope_table(const Op& op, int member);
    void add_positions(const Op& op, int member);
    void rms_norm(const Op& op, int member);
    void layer_norm(const Op& op, int member);
    void quantize(const Op& op, int member);
    void quantize_part(const Op& op, int64_t row, int64_t from, int64_t to);
    void linear(const Op& op, int member);
    void rope(const Op& op, int member);
    void store_kv(const Op& op, int member);
    void attention(const Op& op, int member);
    void set_tile(const Op& op, int64_t token, int64_t count, AttentionTask& task) const;
    void attend_chunks(const Op& op, int member, AttentionTask task);
    void join_chunks(const Op& op, int member);
    void activate(const Op& op, int member);
    void gather_rows(const Op& op, int member);

    Gate gate_;
    const Kernels& kernels_;
    Team team_;
    const int64_t max_tokens_;
    const KvShape kv_;
    int64_t num_positions_ = INT64_MAX;  // rows of learned positions, if the model has any
    Arena arena_;
    Buffer cache_;
    std::vector<Matrix> matrices_;
    std::vector<Waiting> waiting_;
    std::vector<FileRows> file_rows_;
    std::vector<Owner> owners_;           // of their bytes
    std::vector<RowUnpacker> unpackers_;  // one a member
    std::vector<Vector> vectors_;
    std::vector<Rows> buffers_;
    std::vector<QuantizedRows> codes_;
    std::vector<Op> ops_;
    std::vector<Buffer> scratch_;  // one a member: attention_scratch floats
    Buffer parts_memory_;
    AttentionParts parts_{};            // if members share the chunks of a token, in this batch
    std::vector<int32_t> sequence_of_;  // (N): of each token of the batch
    Batch batch_{};
};

}  // namespace foretell
