// Layers with a recurrent state: convolutions, scans and delta rules over the tokens of each
// sequence.
//
// The state lies in the KV blocks, behind their keys and values: in each block the one after the
// last position that was written there. A token reads the state of its own block, or at the block's
// beginning that of the block before, and leaves the state after itself in its own. So whoever
// shares, copies or frees a block does the same with the state, and a full block has the state that
// follows it. What cannot be done is to go back within a block, which `check_states` refuses.

#include <algorithm>
#include <stdexcept>

#include "program/program.h"

namespace foretell {
namespace {

constexpr int64_t kMaxTaps = 64;

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

}  // namespace

void Program::check_state(const Op& op) const {
    const int64_t channels = buffers_.at(op.out).width;
    require(channels % kRows == 0, "channels with a state must be a multiple of 16");
    require(op.state % kRows == 0 && op.state_size >= 0 &&
                op.state + channels * op.state_size <= kv_.state_size,
            "a layer's state does not fit the blocks'");
    switch (op.kind) {
        case OpKind::selective_scan:
            return check_scan(op);
        case OpKind::delta_rule:
            return check_delta_rule(op);
        default:
            return check_conv(op);
    }
}

void Program::check_conv(const Op& op) const {
    const int64_t channels = buffers_[op.out].width, size = vectors_.at(op.vector).size;
    const int64_t taps = op.state_size + 1;
    require(taps <= kMaxTaps && (size == channels * taps || size == channels * (taps + 1)),
            "a convolution's vector holds its taps, and biases");
    for (const int input : {op.a, op.b, op.c}) {
        require(input < 0 || buffers_[input].width == channels,
                "a convolution's operands must be as wide as its result");
    }
}

void Program::check_scan(const Op& op) const {
    const int64_t channels = buffers_[op.out].width, size = vectors_.at(op.vector).size;
    require(op.heads > 0 && channels % op.heads == 0 && buffers_.at(op.b).width == op.heads &&
                (op.heads == channels || channels / op.heads % kRows == 0),
            "heads of a scan must be of one channel, or of a multiple of 16");
    const int64_t both = op.c >= 0 ? buffers_[op.c].width : buffers_.at(op.a).width - channels;
    const int64_t groups = op.state_size > 0 ? both / (2 * op.state_size) : 0;
    require(groups > 0 && both == 2 * groups * op.state_size && channels % groups == 0 &&
                channels / groups % kRows == 0,
            "a scan's B and C do not fit its channels");
    require(size == channels * (op.state_size + 2) || size == channels * 3,
            "a scan's vector holds rates, skips and biases");
}

void Program::check_delta_rule(const Op& op) const {
    const int64_t channels = buffers_[op.out].width;
    require(op.heads > 0 && channels % op.heads == 0 && channels / op.heads % kRows == 0,
            "heads of a delta rule must be of a multiple of 16 channels");
    const int64_t both = buffers_.at(op.a).width - channels;
    const int64_t key_heads = op.state_size > 0 ? both / (2 * op.state_size) : 0;
    require(key_heads > 0 && both == 2 * key_heads * op.state_size && op.heads % key_heads == 0,
            "a delta rule's queries and keys do not fit its heads");
    require(buffers_.at(op.b).width == op.heads && buffers_.at(op.c).width == op.heads,
            "a delta rule takes a step and a strength for each head");
    require(vectors_.at(op.vector).size == channels * 2,
            "a delta rule's vector holds rates and biases");
}

// Calls `use(run)` for each run of the batch.
template <class Use>
void Program::each_run(Use use) const {
    for (int64_t s = 0; s < batch_.num_sequences; ++s) {
        const int32_t* table = batch_.block_tables + s * batch_.table_width;
        for (int64_t n = batch_.starts[s], count; n < batch_.starts[s + 1]; n += count) {
            const int64_t position = batch_.positions[n], slot = position % kv_.block_size;
            count = std::min(batch_.starts[s + 1] - n, kv_.block_size - slot);
            const int32_t* block = table + position / kv_.block_size;
            use(Run{n, count, position == 0 ? -1 : block[slot == 0 ? -1 : 0], *block});
        }
    }
}

void Program::check_states(const Batch& batch) const {
    for (int64_t s = 0; s < batch.num_sequences; ++s) {
        const int32_t position = batch.positions[batch.starts[s]];
        if (position == 0) continue;
        const int32_t* table = batch.block_tables + s * batch.table_width;
        require(state_ends_[table[(position - 1) / kv_.block_size]] == position,
                "a block holds the state after another position than the last one before a token");
    }
}

void Program::note_states() {
    each_run([&](const Run& run) {
        state_ends_[run.target] = batch_.positions[run.token] + static_cast<int32_t>(run.count);
    });
}

float* Program::state_of(int32_t block, const Op& op) const {
    if (block < 0) return nullptr;
    uint8_t* end = cache_.data() + (block + 1) * block_bytes();
    return reinterpret_cast<float*>(end) - kv_.state_size + op.state;
}

void Program::causal_conv(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const Share tiles = share_of(out.width / kRows, member, team_.size());
    ConvTask task{};
    task.taps = op.state_size + 1;
    task.stride = out.stride;
    task.weights = vectors_[op.vector].data;
    const int64_t weights = out.width * task.taps;
    task.bias = vectors_[op.vector].size > weights ? task.weights + weights : nullptr;
    task.tile_begin = tiles.begin;
    task.tile_end = tiles.end;
    each_run([&](const Run& run) {
        task.x = buffers_[op.a].row(run.token);
        task.gate = op.b >= 0 ? buffers_[op.b].row(run.token) : nullptr;
        task.factor = op.c >= 0 ? buffers_[op.c].row(run.token) : nullptr;
        task.source = state_of(run.source, op);
        task.target = state_of(run.target, op);
        task.y = out.row(run.token);
        task.tokens = run.count;
        kernels_.causal_conv(task);
    });
}

void Program::selective_scan(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    const Vector& vector = vectors_[op.vector];
    const int64_t channels = out.width;
    const Share tiles = share_of(channels / kRows, member, team_.size());
    const Rows& both = buffers_[op.c >= 0 ? op.c : op.a];
    const int64_t from = op.c >= 0 ? 0 : channels, half = (both.width - from) / 2;
    ScanTask task{};
    task.state_size = op.state_size;
    task.head_dim = channels / op.heads;
    task.group_channels = channels / (half / op.state_size);
    task.shares_rates = vector.size == 3 * channels;
    task.rates = vector.data;
    task.step_bias = vector.data + vector.size - channels;
    task.skip = task.step_bias - channels;
    task.x_stride = buffers_[op.a].stride;
    task.steps_stride = buffers_[op.b].stride;
    task.bc_stride = both.stride;
    task.y_stride = out.stride;
    task.tile_begin = tiles.begin;
    task.tile_end = tiles.end;
    each_run([&](const Run& run) {
        task.x = buffers_[op.a].row(run.token);
        task.steps = buffers_[op.b].row(run.token);
        task.b = both.row(run.token) + from;
        task.c = task.b + half;
        task.source = state_of(run.source, op);
        task.target = state_of(run.target, op);
        task.y = out.row(run.token);
        task.tokens = run.count;
        kernels_.selective_scan(task);
    });
}

void Program::delta_rule(const Op& op, int member) {
    const Rows &out = buffers_[op.out], &x = buffers_[op.a];
    const int64_t channels = out.width, keys = (x.width - channels) / 2;
    const Share tiles = share_of(channels / kRows, member, team_.size());
    DeltaTask task{};
    task.state_size = op.state_size;
    task.head_dim = channels / op.heads;
    task.heads = op.heads;
    task.key_heads = keys / op.state_size;
    task.takes_turns = op.interleaved;
    task.rates = vectors_[op.vector].data;
    task.step_bias = task.rates + channels;
    task.x_stride = x.stride;
    task.steps_stride = buffers_[op.b].stride;
    task.strengths_stride = buffers_[op.c].stride;
    task.y_stride = out.stride;
    task.tile_begin = tiles.begin;
    task.tile_end = tiles.end;
    each_run([&](const Run& run) {
        task.q = x.row(run.token);
        task.k = task.q + keys;
        task.v = task.k + keys;
        task.steps = buffers_[op.b].row(run.token);
        task.strengths = buffers_[op.c].row(run.token);
        task.source = state_of(run.source, op);
        task.target = state_of(run.target, op);
        task.y = out.row(run.token);
        task.tokens = run.count;
        kernels_.delta_rule(task);
    });
}

}  // namespace foretell
