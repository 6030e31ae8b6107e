// The operations of mixtures of experts: each member's part. See program.h.

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "program/pieces.h"
#include "program/program.h"

namespace foretell {
namespace {

// What an expert's block of rows costs beside its tokens' products: its weights are read.
constexpr int64_t kReading = 2;

// Fewer tokens than this are not worth a barrier.
constexpr int64_t kFewTokens = 8;

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

}  // namespace

void Program::Routes::fit(const Routing& routing, int64_t max_tokens) {
    const size_t count = std::max<size_t>(experts.size(), max_tokens * routing.used);
    for (std::vector<int32_t>* list : {&experts, &rows, &tokens}) list->resize(count);
    for (std::vector<float>* list : {&weights, &factors}) list->resize(count);
    begins.resize(std::max<size_t>(begins.size(), routing.experts + 1));
}

// Gives the tokens' rows their order: by expert, then by token.
void Program::Routes::sort(const Routing& routing, int64_t num_tokens) {
    const int64_t count = num_tokens * routing.used;
    std::fill_n(begins.begin(), routing.experts + 1, 0);
    for (int64_t i = 0; i < count; ++i) ++begins[experts[i] + 1];
    for (int e = 0; e < routing.experts; ++e) begins[e + 1] += begins[e];
    for (int64_t i = 0; i < count; ++i) {
        const int64_t row = begins[experts[i]]++;
        rows[i] = static_cast<int32_t>(row);
        tokens[row] = static_cast<int32_t>(i / routing.used);
        factors[row] = weights[i];
    }
    // Each expert's rows now begin where those of the one before ended.
    std::copy_backward(begins.begin(), begins.begin() + routing.experts,
                       begins.begin() + routing.experts + 1);
    begins[0] = 0;
}

void Program::check_experts(const Op& op) const {
    const Routing& r = op.routing;
    require(r.experts >= 1 && r.experts <= kMaxExperts && r.used <= r.experts,
            "a token chooses among its experts, 1024 at most");
    require(r.groups >= 1 && r.experts % r.groups == 0 && r.groups_used >= 1 &&
                r.groups_used <= r.groups && r.groups_used * (r.experts / r.groups) >= r.used,
            "groups of experts are even, and those that are used hold enough");
    require(r.scoring != Scoring::sparse_mixer || r.used == 2, "a sparse mixer takes two experts");
    const auto width = [&](int buffer) { return buffer >= 0 ? buffers_.at(buffer).width : 0; };
    if (op.kind == OpKind::route) {
        require(width(op.a) == r.experts, "a router has a logit for each expert");
        const int64_t values = op.vector < 0 ? 0 : vectors_.at(op.vector).size;
        require(values == 0 || values == r.experts || values == 2 * r.experts,
                "a choice has a bias for each expert, and perhaps a factor");
        return;
    }
    const int64_t cols = op.codes >= 0 ? codes_.at(op.codes).view.cols : 0;
    if (op.kind == OpKind::dispatch) {
        const int64_t wide = width(op.a) * r.used;
        require(width(op.a) % kRows == 0 && (op.out < 0 || width(op.out) == wide) &&
                    (op.codes < 0 || cols == wide),
                "what is dispatched does not fit its rows");
        return;
    }
    const Matrix& m = matrices_.at(op.matrix);
    require(m.rows % r.experts == 0 && m.rows / r.experts % kRows == 0 && m.cols % kRows == 0,
            "experts' matrices are whole blocks of rows");
    require((op.codes >= 0 ? cols : width(op.a)) == m.cols * r.used &&
                width(op.out) == m.rows / r.experts * (op.kind == OpKind::experts ? r.used : 1),
            "an experts' product's shapes do not fit");
    require(op.codes < 0 || !m.format.is_float(), "float weights take float activations");
    require(op.vector < 0 || vectors_.at(op.vector).size == m.rows,
            "experts' biases do not fit their rows");
}

void Program::route(const Op& op, int member) {
    const int64_t tokens = batch_.num_tokens, used = op.routing.used;
    const int size = tokens < kFewTokens ? 1 : team_.size();
    const Share share = member < size ? share_of(tokens, member, size) : Share{0, 0};
    const float* biases = op.vector >= 0 ? vectors_[op.vector].data : nullptr;
    const bool has_factors = biases && vectors_[op.vector].size > op.routing.experts;
    for (int64_t n = share.begin; n < share.end; ++n) {
        int32_t* experts = &routes_.experts[n * used];
        float* weights = &routes_.weights[n * used];
        kernels_.route({&op.routing, buffers_[op.a].row(n), biases, experts, weights});
        for (int64_t i = 0; has_factors && i < used; ++i) {
            weights[i] *= biases[op.routing.experts + experts[i]];
        }
    }
    if (size > 1) team_.barrier();
    if (member == 0) routes_.sort(op.routing, tokens);
}

void Program::dispatch(const Op& op, int member) {
    const Rows& from = buffers_[op.a];
    const int64_t used = op.routing.used, unit = op.codes >= 0 ? kGroup : kRows;
    const auto copy = [&](int64_t n, int64_t begin, int64_t end) {
        const int32_t* rows = &routes_.rows[n * used];
        for (int64_t i = 0; op.out >= 0 && i < used; ++i) {
            std::memcpy(buffers_[op.out].row(0) + rows[i] * from.width + begin, from.row(n) + begin,
                        (end - begin) * sizeof(float));
        }
        if (op.codes < 0) return;
        QuantizedGroup* codes = codes_[op.codes].view.groups + begin / kGroup;
        const int64_t stride = from.width / kGroup, count = (end - begin) / kGroup;
        kernels_.quantize(from.row(n) + begin, end - begin, codes + rows[0] * stride);
        for (int64_t i = 1; i < used; ++i) {
            std::memcpy(codes + rows[i] * stride, codes + rows[0] * stride,
                        count * sizeof(QuantizedGroup));
        }
    };
    each_piece(batch_.num_tokens, from.width / unit, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) { copy(n, begin * unit, end * unit); });
}

Matrix Program::matrix_of(const Op& op, int64_t expert) const {
    Matrix matrix = matrices_[op.matrix];
    matrix.rows /= op.routing.experts;
    matrix.data += expert * matrix.bytes();
    return matrix;
}

// The product with one expert's matrix, for all of its rows; the task says where it goes.
void Program::multiply(const Op& op, int64_t expert, const Matrix& matrix, LinearTask& task) {
    const int64_t first = routes_.begins[expert];
    task.weights = &matrix;
    task.bias = op.vector >= 0 ? vectors_[op.vector].data + expert * matrix.rows : nullptr;
    task.tokens = routes_.count(expert);
    if (op.codes >= 0) {
        const Quantized codes{codes_[op.codes].view.groups + first * (matrix.cols / kGroup),
                              matrix.cols};
        task.codes = &codes;
        return kernels_.linear_int8(task);
    }
    task.x = buffers_[op.a].row(0) + first * matrix.cols;
    task.x_stride = matrix.cols;
    kernels_.linear_float(task);
}

// The blocks of all experts that were chosen are shared evenly, by their costs.
void Program::experts(const Op& op, int member) {
    const int64_t blocks = matrix_of(op, 0).num_blocks();
    const auto cost_of = [&](int64_t expert) {
        const int64_t count = routes_.count(expert);
        return count > 0 ? count + kReading : 0;
    };
    int64_t total = 0, before = 0;
    for (int e = 0; e < op.routing.experts; ++e) total += blocks * cost_of(e);
    const Share share = share_of(total, member, team_.size());
    for (int e = 0; e < op.routing.experts; ++e) {
        const int64_t cost = cost_of(e);
        if (cost == 0) continue;
        const auto blocks_before = [&](int64_t limit) {
            return std::clamp<int64_t>((limit - before + cost / 2) / cost, 0, blocks);
        };
        const Matrix matrix = matrix_of(op, e);
        LinearTask task{};
        task.y = buffers_[op.out].row(0) + routes_.begins[e] * matrix.rows;
        task.y_stride = matrix.rows;
        task.block_begin = blocks_before(share.begin);
        task.block_end = blocks_before(share.end);
        if (task.block_begin < task.block_end) multiply(op, e, matrix, task);
        before += blocks * cost;
    }
}

// A member has the same rows of all experts, since it adds them up: the residual, then the experts
// in their order.
void Program::combine_experts(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    LinearTask task{};
    const Share share = share_of(matrix_of(op, 0).num_blocks(), member, team_.size());
    task.block_begin = share.begin;
    task.block_end = share.end;
    task.y = out.row(0);
    task.y_stride = out.stride;
    const int64_t from = share.begin * kRows, bytes = (share.end * kRows - from) * sizeof(float);
    for (int64_t n = 0; n < batch_.num_tokens; ++n) {
        if (op.b >= 0) {
            std::memcpy(out.row(n) + from, buffers_[op.b].row(n) + from, bytes);
        } else {
            std::memset(out.row(n) + from, 0, bytes);
        }
    }
    for (int e = 0; e < op.routing.experts; ++e) {
        if (routes_.count(e) == 0) continue;
        task.targets = &routes_.tokens[routes_.begins[e]];
        task.factors = &routes_.factors[routes_.begins[e]];
        multiply(op, e, matrix_of(op, e), task);
    }
}

void Program::add_gated(const Op& op, int member) {
    const Rows& out = buffers_[op.out];
    each_piece(rows_of(out.per_output), out.width, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   kernels_.add_gated(buffers_[op.a].row(n) + begin, *buffers_[op.b].row(n),
                                      buffers_[op.c].row(n) + begin, end - begin,
                                      out.row(n) + begin);
               });
}

}  // namespace foretell
