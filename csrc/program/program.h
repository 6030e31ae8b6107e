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
    scale,          // out = scalar * a
    add,            // out = a + scalar * b
    clamp,          // out = a, within -scalar … scalar
    softcap,        // out = scalar * tanh(a / scalar)
    rope_table,     // out = scalar * (cos, then sin, of position * inverse frequencies (`vector`))
    rms_norm,       // out = (b +) a / rms(a) * vector, for each of `heads` equal parts of a
    layer_norm,     // out = (a - mean) / deviation * vector's first half + its second half, for
                    // each of `heads` equal parts of a, by weights of its own or of all parts
    quantize,       // codes = a as int8
    permute,        // out = the values of each row of a at the places that `vector` numbers
    join_heads,     // out = for each of `heads` parts of a row, a's values, then b's or zeros
    linear,         // out = (b +) matrix @ a, from `codes` if there are any, else from a
    linear_heads,   // out = for each of `heads`, its matrix @ the first values of its part of a,
                    // which it quantizes into `codes`, if there are any
    rope,           // out = a with its heads rotated by the rope table b
    store_kv,       // writes keys a (rotated by the rope table c, if any) and values b to the cache
    attention,      // out = attention of queries a to the last `window` positions (0: to all), with
                    // sinks (`vector`), if any
    silu_mul,       // out = silu(a) (* b)
    gelu,           // out = gelu(a) (* b), in its tanh form
    gelu_erf,       // out = gelu(a) (* b), as it is defined
    relu,           // out = max(a, 0) (* b)
    relu_squared,   // out = max(a, 0)² (* b)
    sigmoid,        // out = 1 / (1 + e^-a) (* b)
    gather_rows,    // out = the rows of a whose logits are asked for
    keep_rows,      // keeps the rows of a that are asked for at this layer: see StatesAsked
    // Layers with a state, which lies in the KV blocks (program_state.cpp).
    causal_conv,     // out = silu of a's convolution with the taps in `vector`, channel by channel
    gated_conv,      // out = c * the same convolution of a * b
    selective_scan,  // out = scan of a by the steps b; its B and C are c, or what a has more
    delta_rule,      // out = delta rule of a's queries, keys and values by the steps b, strengths c
    // Mixtures of experts. A token has a row for each expert that it chose; the batch's rows lie
    // by expert, and fill a buffer that is `used` times as wide, end to end.
    route,           // each token chooses experts by its logits a; `vector` may hold what is added
                     // to their scores for the choice, then what multiplies their weights
    dispatch,        // out, codes = the rows, each a token's a
    experts,         // out = (vector +) matrix @ row, both the row's expert's; from `codes` or a
    combine,         // out = (b +) the same, each token's rows added up by their weights
    add_gated,       // out = a + sigmoid(b) * c, b a single value
    clamped_swiglu,  // out = clamped a / (1 + e^-1.702a) * (clamped b + 1)
    xielu,           // out = xIELU of a, by the constants in `vector`: see xielu (kernels.h)
};

// Operands are indices of buffers, matrices and vectors; -1 where an operation has none.
struct Op {
    OpKind kind;
    int a = -1, b = -1, c = -1, out = -1;
    int codes = -1;
    int matrix = -1, vector = -1;
    int file_rows = -1;  // in place of `matrix` (embed, add_positions)
    int layer = -1;
    int heads = 0;      // heads in a row of a (norms, joined and own products, rope, store_kv,
                        // attention), of out (scans)
    float scalar = 1;   // factor (embed, scale, add, rope_table), eps (norms), scale (attention)
    int window = 0;     // positions that a token sees, itself included (attention)
    float softcap = 0;  // what scores are bent within (attention); 0: they are not
    int slopes = -1;    // a vector: what scores lose a position of distance, by heads (attention)
    bool rounds_slopes = false;  // as in AttentionTask
    bool interleaved = false;    // rope: pairs (2i, 2i + 1), else (i, i + half); delta_rule: heads
                                 // take turns with key heads, else neighbours share one
    int state = -1;              // where its state begins, in the floats of a block's state
    int state_size = 0;          // floats of state a channel
    bool wait = false;           // a barrier comes first; set by `finish`
    Routing routing{};           // of mixtures: the same in all of their operations
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

// What else a batch asks for: H tokens' last hidden states, and P rows of logits as if the model
// ended before a layer. See StatesAsked in backends/base.py.
struct StatesAsked {
    const int32_t* hidden_indices;  // (H), ascending, into tokens
    const int32_t* early;           // (P, 2): a row of the batch's logits, and a layer
    int64_t num_hidden = 0, num_early = 0;
};

// The heads of one layer's keys and values.
struct KvHeads {
    int64_t count, dim;
};

// The whole KV cache; one layer's part of it is a KvLayer (kernels.h). Behind its layers a block
// has `state_size` floats: of layers with a state, the state after the block's last position so
// far.
struct KvShape {
    std::vector<KvHeads> layers;
    int64_t block_size, num_blocks;
    KvType type;
    int64_t state_size;
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
    // A matrix whose rows come from several tensors: zeros, until `fill` adds rows from `begin` on,
    // whole blocks of them, in a type of the same packed format.
    int add_stack(const FileType& type, int64_t rows, int64_t cols);
    void fill(int stack, int64_t begin, const FileType& type, const uint8_t* bytes, int64_t rows,
              Owner owner);
    // Packs the tensors that were added since the last call, by add_matrix or fill. Returns which
    // of them, 0 the first, is the first that holds NaN or infinite weights; -1 if none does.
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
    const float* forward(const Batch& batch) { return forward(batch, {}); }
    // The same, and what `asked` wants; it is read below, until the next call.
    const float* forward(const Batch& batch, const StatesAsked& asked);
    float* hidden_states() const { return hidden_.as<float>(); }              // (H, hidden_width)
    float* early_logits() const { return early_logits_.memory.as<float>(); }  // (P, vocab_size)
    int64_t hidden_width() const { return buffers_[output_op().a].width; }
    void copy_blocks(const int32_t* pairs, int64_t count);
    // A KV block as bytes, for who keeps them; `bytes` has block_bytes(). Its layout is the same on
    // all instruction sets.
    void read_block(int32_t block, uint8_t* bytes);
    // Puts such bytes into a block; `end` is the position after its last one.
    void write_block(int32_t block, const uint8_t* bytes, int32_t end);
    int64_t block_bytes() const { return block_bytes_; }

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
        Matrix target;
        Owner owner;
    };
    struct Vector {
        const float* data;  // (size)
        int64_t size;
    };
    // The experts of a batch's tokens: M = N * used rows, by expert, then by token.
    struct Routes {
        std::vector<int32_t> experts;  // (N, used): each token's, ascending
        std::vector<float> weights;    // (N, used): of each
        std::vector<int32_t> rows;     // (N, used): which row is whose
        std::vector<int64_t> begins;   // (experts + 1): of each expert's rows
        std::vector<int32_t> tokens;   // (M): whose row it is
        std::vector<float> factors;    // (M): its weight

        void fit(const Routing& routing, int64_t max_tokens);
        void sort(const Routing& routing, int64_t num_tokens);
        int64_t count(int64_t expert) const { return begins[expert + 1] - begins[expert]; }
    };

    void check(const Batch& batch) const;
    void check(const StatesAsked& asked, const Batch& batch) const;
    void choose_rows(const StatesAsked& asked);
    void fit_early();
    void check_operands(const Op& op) const;
    void fit_logits(int64_t rows);
    void fit_parts();
    int64_t rows_of(bool per_output) const { return per_output ? num_outputs_ : batch_.num_tokens; }
    const Op& output_op() const { return ops_[output_]; }
    int32_t block_of(int64_t token) const;

    void run(const Op& op, int member);
    void look_up(const Op& op, int64_t row, int member, float* out);
    int64_t num_rows(const Op& op) const;
    void embed(const Op& op, int member);
    void rope_table(const Op& op, int member);
    void add_positions(const Op& op, int member);
    void combine(const Op& op, int member);
    void softcap(const Op& op, int member);
    void rms_norm(const Op& op, int member);
    void layer_norm(const Op& op, int member);
    void quantize(const Op& op, int member);
    void permute(const Op& op, int member);
    // program_heads.cpp
    void check_heads(const Op& op) const;
    void join_heads(const Op& op, int member);
    void linear_heads(const Op& op, int member);
    void quantize_heads(const Op& op, int64_t cols, int member);
    void quantize_part(const Op& op, int64_t row, int64_t from, int64_t to);
    void linear(const Op& op, int member);
    void rope(const Op& op, int member);
    void store_kv(const Op& op, int member);
    void attention(const Op& op, int member);
    void set_tile(const Op& op, int64_t token, int64_t count, AttentionTask& task) const;
    AttentionParts parts_of(const Op& op) const;
    void attend_chunks(const Op& op, int member, AttentionTask task);
    void join_chunks(const Op& op, int member);
    void activate(const Op& op, int member);
    void gather_rows(const Op& op, int member);
    void keep_rows(const Op& op, int member);
    void walk(int member);
    void end_early(int member);
    void copy_hidden(int member);

    // Tokens of a sequence, from `token` of the batch on, that lie in one block; and where states
    // before and after them are.
    struct Run {
        int64_t token, count;
        int32_t source, target;  // blocks; source is -1 where the sequence begins
    };
    template <class Use>
    void each_run(Use use) const;
    void check_state(const Op& op) const;
    void check_conv(const Op& op) const;
    void check_scan(const Op& op) const;
    void check_delta_rule(const Op& op) const;
    void check_states(const Batch& batch) const;
    void note_states();
    float* state_of(int32_t block, const Op& op) const;
    void causal_conv(const Op& op, int member);
    void selective_scan(const Op& op, int member);
    void delta_rule(const Op& op, int member);
    // program_experts.cpp
    void check_experts(const Op& op) const;
    void route(const Op& op, int member);
    void dispatch(const Op& op, int member);
    void experts(const Op& op, int member);
    void combine_experts(const Op& op, int member);
    void add_gated(const Op& op, int member);
    Matrix matrix_of(const Op& op, int64_t expert) const;
    void multiply(const Op& op, int64_t expert, const Matrix& matrix, LinearTask& task);

    Gate gate_;
    const Kernels& kernels_;
    Team team_;
    const int64_t max_tokens_;
    const KvShape kv_;
    int64_t block_bytes_ = 0;
    int64_t max_head_dim_ = 0;  // of the layers of the cache
    std::vector<KvLayer> kv_layers_;
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
    Routes routes_;                     // of the last `route`
    AttentionParts parts_{};            // if members share the chunks of a token, in this batch
    std::vector<int32_t> sequence_of_;  // (N): of each token of the batch
    std::vector<int32_t> state_ends_;   // (num_blocks): the position after that of a block's state
    Batch batch_{};

    // States that a batch asks for. Its rows of logits are gathered first, then the other tokens
    // whose hidden states are; from the output's product on, the logits' rows alone go on.
    size_t output_ = 0;  // the operation of the output's product
    StatesAsked asked_{};
    std::vector<int32_t> gathered_;     // the tokens of the rows that are gathered
    std::vector<int32_t> hidden_rows_;  // (H): which of these they are
    int64_t num_outputs_ = 0;
    Buffer hidden_;
    Rows early_{}, early_logits_{};  // (P, hidden_width), (P, vocab_size)
    QuantizedRows early_codes_{};
};

}  // namespace foretell
