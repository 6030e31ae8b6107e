#include "program/program.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <stdexcept>

namespace foretell {
namespace {

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

// What an operation reads and writes: buffers 'b', codes 'c', a layer's part of the cache 'k', its
// state 's'; and which of them. Attention's parts, 'p', and the experts that tokens chose, 'r', are
// the same memory for every layer.
using Thing = std::pair<char, int>;

struct Touched {
    std::set<Thing> reads, writes;

    bool conflicts_with(const Touched& later) const {
        const auto overlap = [](const std::set<Thing>& x, const std::set<Thing>& y) {
            return std::any_of(x.begin(), x.end(), [&](const Thing& t) { return y.count(t); });
        };
        return overlap(writes, later.reads) || overlap(writes, later.writes) ||
               overlap(reads, later.writes);
    }
    void join(const Touched& other) {
        reads.insert(other.reads.begin(), other.reads.end());
        writes.insert(other.writes.begin(), other.writes.end());
    }
};

bool is_product(OpKind kind) {
    return kind == OpKind::linear || kind == OpKind::experts || kind == OpKind::combine;
}

Touched touched_by(const Op& op) {
    Touched t;
    for (const int input : {op.a, op.b, op.c}) {
        if (input >= 0) t.reads.insert({'b', input});
    }
    if (op.out >= 0) t.writes.insert({'b', op.out});
    if (op.codes >= 0) (is_product(op.kind) ? t.reads : t.writes).insert({'c', op.codes});
    if (op.routing.used > 0) (op.kind == OpKind::route ? t.writes : t.reads).insert({'r', 0});
    if (op.kind == OpKind::store_kv) t.writes.insert({'k', op.layer});
    if (op.state >= 0) t.writes.insert({'s', op.state});
    if (op.kind == OpKind::attention) {
        t.reads.insert({'k', op.layer});
        t.writes.insert({'p', 0});
    }
    return t;
}

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

}  // namespace

Program::Program(const Kernels& kernels, int threads, int64_t max_tokens, const KvShape& kv)
    : kernels_(kernels), team_(threads), max_tokens_(max_tokens), kv_(kv), unpackers_(threads) {
    require(kv.block_size % kRows == 0, "block_size must be a multiple of 16");
    require(kv.state_size >= 0 && kv.state_size % kRows == 0, "a state is a multiple of 16 floats");
    for (const KvHeads& heads : kv.layers) {
        require(heads.dim % kRows == 0 && heads.dim <= kMaxHeadDim,
                "head_dim must be a multiple of 16, at most 1024");
        max_head_dim_ = std::max(max_head_dim_, heads.dim);
        kv_layers_.push_back({nullptr, kv.type, heads.count, heads.dim, kv.block_size, 0});
        block_bytes_ += kv_layers_.back().layer_bytes();
    }
    block_bytes_ += kv.state_size * sizeof(float);
    cache_ = Buffer(kv.num_blocks * block_bytes_);
    uint8_t* data = cache_.data();
    for (KvLayer& layer : kv_layers_) {
        layer.data = data;
        layer.block_bytes = block_bytes_;
        data += layer.layer_bytes();
    }
    if (kv.state_size > 0) state_ends_.resize(kv.num_blocks);
    for (int member = 0; member < threads; ++member) {
        scratch_.emplace_back(attention_scratch(max_head_dim_) * sizeof(float));
    }
}

void Program::reserve(size_t bytes, size_t count) {
    const Gate::Visit visit(gate_);
    arena_.reserve(bytes, count);
}

int Program::add_matrix(const FileType& type, const uint8_t* bytes, int64_t rows, int64_t cols,
                        Owner owner) {
    const int index = add_stack(type, rows, cols);
    fill(index, 0, type, bytes, rows, std::move(owner));
    return index;
}

int Program::add_stack(const FileType& type, int64_t rows, int64_t cols) {
    const Gate::Visit visit(gate_);
    Matrix matrix{type.format, rows, cols};
    matrix.data = arena_.take(matrix.bytes());
    matrices_.push_back(matrix);
    return static_cast<int>(matrices_.size()) - 1;
}

void Program::fill(int stack, int64_t begin, const FileType& type, const uint8_t* bytes,
                   int64_t rows, Owner owner) {
    const Gate::Visit visit(gate_);
    Matrix target = matrices_.at(stack);
    require(type.format == target.format, "a matrix has one format");
    require(begin >= 0 && begin % kRows == 0 && rows >= 0 && begin <= target.rows - rows &&
                (rows % kRows == 0 || begin + rows == target.rows),
            "parts of a matrix are whole blocks of its rows");
    target.data += begin / kRows * target.block_bytes();
    target.rows = rows;
    waiting_.push_back({&type, bytes, target, std::move(owner)});
}

// Each member packs the rows of a product that are its own later: on machines with several memories
// they lie near it.
int Program::pack() {
    const Gate::Visit visit(gate_);
    std::atomic<size_t> damaged{waiting_.size()};  // the first of those that are
    team_.run([&](int member) {
        for (size_t i = 0; i < waiting_.size(); ++i) {
            const Waiting& source = waiting_[i];
            const Matrix& target = source.target;
            const Share share = share_of(target.num_blocks(), member, team_.size());
            if (pack_blocks(*source.type, source.bytes, target, share.begin, share.end)) continue;
            size_t before = damaged;
            while (i < before && !damaged.compare_exchange_weak(before, i)) {
            }
        }
    });
    const int found = damaged < waiting_.size() ? static_cast<int>(damaged) : -1;
    waiting_.clear();
    return found;
}

int Program::add_file_rows(const FileType& type, const uint8_t* bytes, int64_t rows, int64_t cols,
                           Owner owner) {
    const Gate::Visit visit(gate_);
    const FileRows file{&type, bytes, rows, cols};
    for (RowUnpacker& unpacker : unpackers_) unpacker.fit(file);
    file_rows_.push_back(file);
    owners_.push_back(std::move(owner));
    return static_cast<int>(file_rows_.size()) - 1;
}

bool Program::are_finite(int file_rows, int64_t begin, int64_t end) {
    const Gate::Visit visit(gate_);
    const FileRows& file = file_rows_.at(file_rows);
    require(0 <= begin && begin <= end && end <= file.rows, "a matrix has no such rows");
    std::atomic<bool> finite{true};
    team_.run([&](int member) {
        const Share share = share_of(end - begin, member, team_.size());
        if (!unpackers_[member].is_finite(file, begin + share.begin, begin + share.end)) {
            finite = false;
        }
    });
    return finite;
}

int64_t Program::num_rows(const Op& op) const {
    return op.file_rows >= 0 ? file_rows_.at(op.file_rows).rows : matrices_.at(op.matrix).rows;
}

int Program::add_vector(const float* values, int64_t size) {
    const Gate::Visit visit(gate_);
    float* data = reinterpret_cast<float*>(arena_.take(size * sizeof(float)));
    std::copy(values, values + size, data);
    vectors_.push_back({data, size});
    return static_cast<int>(vectors_.size()) - 1;
}

int Program::add_buffer(int64_t width, bool per_output) {
    const Gate::Visit visit(gate_);
    const int64_t stride = rounded_up(width, kRows);
    buffers_.push_back({width, stride, per_output, Buffer(max_tokens_ * stride * sizeof(float))});
    return static_cast<int>(buffers_.size()) - 1;
}

int Program::add_codes(int64_t width, bool per_output) {
    const Gate::Visit visit(gate_);
    require(width % kGroup == 0, "quantized rows must be multiples of 32 wide");
    const int64_t groups = max_tokens_ * (width / kGroup);
    QuantizedRows rows{per_output, Buffer(groups * sizeof(QuantizedGroup)), {}};
    rows.view = {rows.memory.as<QuantizedGroup>(), width};
    codes_.push_back(std::move(rows));
    return static_cast<int>(codes_.size()) - 1;
}

void Program::add_op(const Op& op) {
    const Gate::Visit visit(gate_);
    ops_.push_back(op);
}

void Program::check_operands(const Op& op) const {
    const auto within = [](int index, size_t count) {
        return index >= -1 && index < static_cast<int>(count);
    };
    for (const int buffer : {op.a, op.b, op.c, op.out}) {
        require(within(buffer, buffers_.size()), "an operation names a buffer that is not there");
    }
    require(within(op.codes, codes_.size()) && within(op.matrix, matrices_.size()) &&
                within(op.file_rows, file_rows_.size()) && within(op.vector, vectors_.size()) &&
                (op.kind == OpKind::keep_rows || within(op.layer, kv_.layers.size())),
            "an operation names a weight, code buffer or layer that is not there");
    if (op.kind == OpKind::linear) {
        const Matrix& m = matrices_.at(op.matrix);
        const int64_t inputs =
            op.codes >= 0 ? codes_.at(op.codes).view.cols : buffers_.at(op.a).width;
        require(inputs == m.cols && buffers_.at(op.out).width == m.rows,
                "a linear operation's shapes do not fit");
        require(op.codes < 0 || !m.format.is_float(), "float weights take float activations");
    }
    if (op.kind == OpKind::attention || op.kind == OpKind::store_kv) {
        require(op.layer >= 0 && op.heads > 0, "attention is of a layer's heads");
        const KvLayer& kv = kv_layers_.at(op.layer);
        require(buffers_.at(op.a).width == op.heads * kv.head_dim && op.heads % kv.kv_heads == 0,
                "heads do not fit those of their layer");
    }
    if (op.kind == OpKind::attention) {
        for (const int vector : {op.vector, op.slopes}) {
            require(within(vector, vectors_.size()) &&
                        (vector < 0 || vectors_.at(vector).size == op.heads),
                    "sinks and slopes are one for each head");
        }
        require(op.softcap >= 0, "a softcap is not below 0");
    }
    if (op.kind == OpKind::layer_norm) {
        const int64_t size = vectors_.at(op.vector).size, width = buffers_.at(op.out).width;
        require(size == 2 * width || size * std::max(op.heads, 1) == 2 * width,
                "a layer norm's vector holds weights and biases");
    }
    if (op.kind == OpKind::permute) {
        const Vector& places = vectors_.at(op.vector);
        const auto width = static_cast<float>(buffers_.at(op.a).width);
        require(places.size == buffers_.at(op.out).width &&
                    std::all_of(places.data, places.data + places.size,
                                [&](float place) { return place >= 0 && place < width; }),
                "a permutation's places do not fit");
    }
    if (op.file_rows >= 0) {
        require(file_rows_.at(op.file_rows).cols == buffers_.at(op.out).width,
                "rows of a file do not fit their buffer");
    }
    require(op.window >= 0, "a window holds no fewer than 0 positions");
    if (op.state >= 0) check_state(op);
    require(op.kind != OpKind::clamped_swiglu || op.b >= 0, "a clamped unit has gate and values");
    require(op.kind != OpKind::xielu || (op.vector >= 0 && vectors_.at(op.vector).size == 4),
            "an xIELU has four constants");
    if (op.routing.used > 0) check_experts(op);
    if (op.kind == OpKind::join_heads || op.kind == OpKind::linear_heads) check_heads(op);
}

void Program::finish() {
    const Gate::Visit visit(gate_);
    require(!ops_.empty() && ops_.back().out >= 0, "a program ends with its logits");
    require(waiting_.empty(), "matrices are packed before a program ends");
    Touched since;
    for (Op& op : ops_) {
        check_operands(op);
        if (op.kind == OpKind::add_positions) num_positions_ = num_rows(op);
        if (op.kind == OpKind::route) routes_.fit(op.routing, max_tokens_);
        const Touched now = touched_by(op);
        op.wait = since.conflicts_with(now);
        if (op.wait) since = {};
        since.join(now);
    }
    Rows& logits = buffers_[ops_.back().out];
    require(logits.per_output, "a program ends with a buffer per output");
    const auto product = std::find_if(ops_.rbegin(), ops_.rend(),
                                      [](const Op& op) { return op.kind == OpKind::linear; });
    output_ = product == ops_.rend() ? ops_.size() : ops_.rend() - product - 1;
    logits.stride = logits.width;
    logits.memory = Buffer();
}

void Program::check(const Batch& batch) const {
    require(batch.num_tokens >= 1 && batch.num_tokens <= max_tokens_,
            "too many tokens in the batch");
    require(batch.num_logits <= batch.num_tokens, "more logits asked for than there are tokens");
    require(batch.starts[0] == 0 && batch.starts[batch.num_sequences] == batch.num_tokens,
            "starts do not span the tokens");
    const int64_t vocabulary = num_rows(ops_.front());
    for (int64_t s = 0; s < batch.num_sequences; ++s) {
        require(batch.starts[s] < batch.starts[s + 1] && batch.starts[s + 1] <= batch.num_tokens,
                "starts do not ascend");
        for (int64_t n = batch.starts[s]; n < batch.starts[s + 1]; ++n) {
            require(batch.tokens[n] >= 0 && batch.tokens[n] < vocabulary, "token id out of range");
            require(n == batch.starts[s] ? batch.positions[n] >= 0
                                         : batch.positions[n] == batch.positions[n - 1] + 1,
                    "positions of a sequence are not consecutive");
        }
        const int64_t last = batch.positions[batch.starts[s + 1] - 1];
        require(last < num_positions_, "position past the last that the model knows");
        const int64_t blocks = last / kv_.block_size + 1;
        require(blocks <= batch.table_width, "block table too short");
        for (int64_t i = 0; i < blocks; ++i) {
            const int32_t block = batch.block_tables[s * batch.table_width + i];
            require(block >= 0 && block < kv_.num_blocks, "KV block out of range");
        }
    }
    if (kv_.state_size > 0) check_states(batch);
    for (int64_t r = 0; r < batch.num_logits; ++r) {
        require(batch.logits_indices[r] >= 0 && batch.logits_indices[r] < batch.num_tokens,
                "logits index out of range");
    }
}

void Program::check(const StatesAsked& asked, const Batch& batch) const {
    require(output_ < ops_.size() || asked.num_hidden + asked.num_early == 0,
            "states asked of a program without a product");
    require(asked.num_hidden + asked.num_early == 0 || output_op().a >= 0,
            "states asked of a program that keeps none");
    for (int64_t h = 0; h < asked.num_hidden; ++h) {
        const int64_t before = h ? asked.hidden_indices[h - 1] : -1;
        require(before < asked.hidden_indices[h] && asked.hidden_indices[h] < batch.num_tokens,
                "hidden states of tokens that are not there, or do not ascend");
    }
    std::set<int> kept;
    if (asked.num_early) {
        for (const Op& op : ops_) {
            if (op.kind == OpKind::keep_rows) kept.insert(op.layer);
        }
    }
    for (int64_t p = 0; p < asked.num_early; ++p) {
        const int32_t row = asked.early[2 * p];
        require(row >= 0 && row < batch.num_logits, "early logits of a row that is not there");
        require(kept.count(asked.early[2 * p + 1]), "early logits of a layer that is not there");
    }
}

// Which rows are gathered for the end of the walk: `gathered_`, `hidden_rows_`, `num_outputs_`.
void Program::choose_rows(const StatesAsked& asked) {
    asked_ = asked;
    gathered_.assign(batch_.logits_indices, batch_.logits_indices + batch_.num_logits);
    hidden_rows_.clear();
    for (int64_t h = 0; h < asked.num_hidden; ++h) {
        const int32_t token = asked.hidden_indices[h];
        const auto end = gathered_.begin() + batch_.num_logits;
        const auto found = std::lower_bound(gathered_.begin(), end, token);
        const bool has_logits = found != end && *found == token;
        hidden_rows_.push_back(has_logits ? found - gathered_.begin() : gathered_.size());
        if (!has_logits) gathered_.push_back(token);
    }
    num_outputs_ = gathered_.size();
    require(num_outputs_ <= batch_.num_tokens, "more rows asked for than there are tokens");
    if (asked.num_hidden == 0) return;
    const size_t bytes = asked.num_hidden * hidden_width() * sizeof(float);
    if (hidden_.size() < bytes) hidden_ = Buffer(bytes);
}

void Program::fit_early() {
    const int64_t rows = asked_.num_early, width = hidden_width(), vocabulary = vocab_size();
    const size_t bytes = rows * rounded_up(width, kRows) * sizeof(float);
    if (early_.memory.size() < bytes) early_.memory = Buffer(bytes);
    early_.width = width;
    early_.stride = rounded_up(width, kRows);
    early_logits_.width = early_logits_.stride = vocabulary;
    const size_t logits = rows * vocabulary * sizeof(float);
    if (early_logits_.memory.size() < logits) early_logits_.memory = Buffer(logits);
    if (output_op().codes < 0) return;
    const size_t codes = rows * (width / kGroup) * sizeof(QuantizedGroup);
    if (early_codes_.memory.size() < codes) early_codes_.memory = Buffer(codes);
    early_codes_.view = {early_codes_.memory.as<QuantizedGroup>(), width};
}

void Program::fit_logits(int64_t rows) {
    Rows& logits = buffers_[ops_.back().out];
    const size_t bytes = rows * logits.stride * sizeof(float);
    if (logits.memory.size() < bytes) logits.memory = Buffer(bytes);
}

// Few tokens have few heads to share among the members: then the chunks of a head are shared, if
// there are several.
void Program::fit_parts() {
    constexpr int64_t kFewTokens = 4;
    int64_t heads = 0, chunks = 0;
    for (const Op& op : ops_) {
        if (op.kind == OpKind::attention) heads = std::max<int64_t>(heads, op.heads);
    }
    for (int64_t n = 0; n < batch_.num_tokens; ++n) {
        chunks = std::max<int64_t>(chunks, batch_.positions[n] / kAttentionChunk + 1);
    }
    parts_ = {nullptr, heads, chunks, max_head_dim_};
    if (team_.size() == 1 || batch_.num_tokens > kFewTokens || chunks < 2) return;
    const int64_t parts = batch_.num_tokens * heads * chunks;
    const size_t bytes = parts * AttentionParts::stride(max_head_dim_) * sizeof(float);
    if (parts_memory_.size() < bytes) parts_memory_ = Buffer(bytes);
    parts_.data = parts_memory_.as<float>();
}

const float* Program::forward(const Batch& batch, const StatesAsked& asked) {
    const Gate::Visit visit(gate_);
    check(batch);
    check(asked, batch);
    batch_ = batch;
    choose_rows(asked);
    if (asked.num_early) fit_early();
    fit_logits(batch.num_logits);
    fit_parts();
    sequence_of_.resize(batch.num_tokens);
    for (int64_t s = 0; s < batch.num_sequences; ++s) {
        std::fill(sequence_of_.begin() + batch.starts[s],
                  sequence_of_.begin() + batch.starts[s + 1], static_cast<int32_t>(s));
    }
    team_.run([this](int member) { walk(member); });
    if (kv_.state_size > 0) note_states();
    return buffers_[ops_.back().out].row(0);
}

void Program::walk(int member) {
    for (size_t i = 0; i < ops_.size(); ++i) {
        if (i == output_ && asked_.num_hidden) {
            team_.barrier();
            copy_hidden(member);
            if (member == 0) num_outputs_ = batch_.num_logits;
            team_.barrier();
        }
        if (ops_[i].wait) team_.barrier();
        run(ops_[i], member);
    }
    if (asked_.num_early) end_early(member);
}

void Program::copy_blocks(const int32_t* pairs, int64_t count) {
    const Gate::Visit visit(gate_);
    const int64_t bytes = block_bytes();
    for (int64_t i = 0; i < 2 * count; ++i) {
        require(pairs[i] >= 0 && pairs[i] < kv_.num_blocks, "KV block out of range");
    }
    for (int64_t i = 0; i < count; ++i) {
        std::memmove(cache_.data() + pairs[2 * i + 1] * bytes, cache_.data() + pairs[2 * i] * bytes,
                     bytes);
        if (kv_.state_size > 0) state_ends_[pairs[2 * i + 1]] = state_ends_[pairs[2 * i]];
    }
}

void Program::read_block(int32_t block, uint8_t* bytes) {
    const Gate::Visit visit(gate_);
    require(block >= 0 && block < kv_.num_blocks, "KV block out of range");
    std::memcpy(bytes, cache_.data() + block * block_bytes(), block_bytes());
}

void Program::write_block(int32_t block, const uint8_t* bytes, int32_t end) {
    const Gate::Visit visit(gate_);
    require(block >= 0 && block < kv_.num_blocks, "KV block out of range");
    require(end > 0 && end % kv_.block_size == 0, "only a full block is written");
    std::memcpy(cache_.data() + block * block_bytes(), bytes, block_bytes());
    if (kv_.state_size > 0) state_ends_[block] = end;
}

}  // namespace foretell
