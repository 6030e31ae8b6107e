// The operations of multi-head latent attention, head by head: each member's part. See program.h.

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "program/pieces.h"
#include "program/program.h"

namespace foretell {
namespace {

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

}  // namespace

void Program::check_heads(const Op& op) const {
    const int64_t heads = op.heads;
    require(heads >= 1 && op.a >= 0 && op.out >= 0, "heads have parts of a row");
    const Rows &from = buffers_.at(op.a), &out = buffers_.at(op.out);
    require(from.width % heads == 0 && out.width % heads == 0, "heads have even parts of a row");
    if (op.kind == OpKind::join_heads) {
        const int64_t tail = out.width - from.width;
        require(tail >= 0 && (op.b < 0 || buffers_.at(op.b).width == tail),
                "what is joined does not fill its rows");
        return;
    }
    const Matrix& m = matrices_.at(op.matrix);
    require(!from.per_output && !out.per_output, "heads have products of each token");
    require(m.rows == out.width && m.rows / heads % kRows == 0,
            "heads' matrices are whole blocks of rows");
    require(m.cols <= from.width / heads, "a head's product takes values of that head alone");
    if (op.codes < 0) return;
    require(codes_.at(op.codes).view.cols == heads * m.cols && m.cols % kGroup == 0 &&
                from.width / heads % kRows == 0,
            "heads' codes do not fit their values");
    require(!m.format.is_float(), "float weights take float activations");
}

void Program::join_heads(const Op& op, int member) {
    const Rows &from = buffers_[op.a], &out = buffers_[op.out];
    const int64_t dim = out.width / op.heads, first = from.width / op.heads, rest = dim - first;
    each_piece(rows_of(out.per_output), op.heads, member, team_.size(),
               [&](int64_t n, int64_t begin, int64_t end) {
                   for (int64_t head = begin; head < end; ++head) {
                       float* to = out.row(n) + head * dim;
                       std::memcpy(to, from.row(n) + head * first, first * sizeof(float));
                       if (op.b < 0) {
                           std::memset(to + first, 0, rest * sizeof(float));
                           continue;
                       }
                       const float* more = buffers_[op.b].row(n) + head * rest;
                       std::memcpy(to + first, more, rest * sizeof(float));
                   }
               });
}

// Head by head, so that the codes of one are the rows of one matrix.
void Program::quantize_heads(const Op& op, int64_t cols, int member) {
    const Rows& from = buffers_[op.a];
    const int64_t dim = from.width / op.heads, groups = cols / kGroup, tokens = batch_.num_tokens;
    each_piece(tokens, op.heads, member, team_.size(), [&](int64_t n, int64_t begin, int64_t end) {
        for (int64_t head = begin; head < end; ++head) {
            kernels_.quantize(from.row(n) + head * dim, cols,
                              codes_[op.codes].view.groups + (head * tokens + n) * groups);
        }
    });
}

// The blocks of all heads are shared evenly.
void Program::linear_heads(const Op& op, int member) {
    const Rows &from = buffers_[op.a], &out = buffers_[op.out];
    Matrix own = matrices_[op.matrix];  // of one head
    uint8_t* const all = own.data;
    own.rows /= op.heads;
    const int64_t blocks = own.num_blocks(), head_bytes = own.bytes();
    const int64_t dim = from.width / op.heads, tokens = batch_.num_tokens;
    if (op.codes >= 0) {
        quantize_heads(op, own.cols, member);
        team_.barrier();
    }
    const Share share = share_of(op.heads * blocks, member, team_.size());
    for (int64_t head = share.begin / blocks; head * blocks < share.end; ++head) {
        own.data = all + head * head_bytes;
        LinearTask task{};
        task.weights = &own;
        task.y = out.row(0) + head * own.rows;
        task.tokens = tokens;
        task.y_stride = out.stride;
        task.block_begin = std::max<int64_t>(share.begin - head * blocks, 0);
        task.block_end = std::min(share.end - head * blocks, blocks);
        if (op.codes >= 0) {
            const int64_t first = head * tokens * (own.cols / kGroup);
            const Quantized codes{codes_[op.codes].view.groups + first, own.cols};
            task.codes = &codes;
            kernels_.linear_int8(task);
        } else {
            task.x = from.row(0) + head * dim;
            task.x_stride = from.stride;
            kernels_.linear_float(task);
        }
    }
}

}  // namespace foretell
