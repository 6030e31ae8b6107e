// Matrix products over packed weights. See kernels_impl.h and weights/matrix.h.
#pragma once

#include <bit>
#include <cstring>
#include <iterator>

#include "kernels/elementwise_impl.h"
#include "kernels/inline.h"
#include "weights/half.h"

namespace foretell {
namespace {

FORETELL_INLINE Vec load_scale(const uint8_t* p, bool wide) {
    return wide ? load(reinterpret_cast<const float*>(p))
                : load_half(reinterpret_cast<const uint16_t*>(p));
}

// One group of 16 rows: quad(t) holds the codes of inputs 4t … 4t+3.
template <Format F>
struct Group {
    static constexpr int kQuads = F.group / 4;
    static constexpr int kLines = F.codes == Codes::nibble ? kQuads / 2 : kQuads;
    const uint8_t* data;

    FORETELL_INLINE Bytes quad(int t) const {
        if constexpr (F.codes == Codes::nibble) {
            const Bytes codes = load_codes(data + 64 * (t / 2));
            return t % 2 ? high_nibbles(codes) : low_nibbles(codes);
        } else {
            return load_codes(data + 64 * t);
        }
    }
    FORETELL_INLINE Vec scale() const { return load_scale(data + 64 * kLines, F.wide_scale); }
    FORETELL_INLINE Vec minimum() const {
        return load_scale(data + 64 * kLines + F.scale_bytes(), F.wide_scale);
    }
};

template <Format F>
FORETELL_INLINE auto zero_sum() {
    if constexpr (F.codes == Codes::nibble) {
        return NibbleSum{};
    } else {
        return ByteSum{};
    }
}

// Σ x over a group of weights: all of x, or its half `part`.
template <Format F>
FORETELL_INLINE Int sum_of(const QuantizedGroup& x, int part) {
    if (F.group == kGroup) return set_int(x.sum);
    const Int first = set_int(x.half_sum);
    return part == 0 ? first : sub_int(set_int(x.sum), first);
}

// The same times the scale of x.
template <Format F>
FORETELL_INLINE Vec scaled_sum_of(const QuantizedGroup& x, int part) {
    if (F.group == kGroup) return set(x.scaled_sum);
    return mul(set(x.scale), to_float(sum_of<F>(x, part)));
}

// dots[m] = Σ (code - offset) * x over a group, exactly, for W tokens, which lie `stride` groups
// apart in x; `part`: which half of x, for groups of 16. The tokens' sums grow side by side, so
// that no multiplication waits for the one before.
template <Format F, int W>
FORETELL_INLINE void dot_group(const Group<F>& group, const QuantizedGroup* x, int64_t stride,
                               int part, Int dots[W]) {
    decltype(zero_sum<F>()) sums[W];
    unrolled<W>([&](int m) { sums[m] = zero_sum<F>(); });
    for (int t = 0; t < Group<F>::kQuads; ++t) {
        const Bytes codes = group.quad(t);
        for (int m = 0; m < W; ++m) {
            const int8_t* four = x[m * stride].codes + part * F.group + 4 * t;
            if constexpr (F.codes == Codes::nibble) {
                sums[m] = dot_nibbles(sums[m], codes, four);
            } else {
                sums[m] = dot_bytes(sums[m], codes, four);
            }
        }
    }
    for (int m = 0; m < W; ++m) {
        dots[m] = finish(sums[m]);
        if constexpr (F.offset > 0) {
            constexpr int kShift = std::countr_zero(F.offset);
            static_assert(F.offset == 1 << kShift);
            dots[m] = sub_int(dots[m], shift_left<kShift>(sum_of<F>(x[m * stride], part)));
        }
    }
}

// acc[m] += Σ weight * x over a group.
template <Format F, int W>
FORETELL_INLINE void add_group(const Group<F>& group, const QuantizedGroup* x, int64_t stride,
                               int part, Vec acc[W]) {
    Int dots[W];
    dot_group<F, W>(group, x, stride, part, dots);
    const Vec scale = group.scale();
    for (int m = 0; m < W; ++m) {
        acc[m] = fma(to_float(dots[m]), mul(scale, set(x[m * stride].scale)), acc[m]);
    }
    if constexpr (F.has_minimum) {
        const Vec minimum = group.minimum();
        for (int m = 0; m < W; ++m) {
            acc[m] = fma(minimum, scaled_sum_of<F>(x[m * stride], part), acc[m]);
        }
    }
}

struct Output {
    const LinearTask& task;

    FORETELL_INLINE void write(int64_t block, int64_t token, Vec sum) const {
        const int64_t row = block * kRows, count = task.weights->rows - row;
        const int64_t at = token * task.y_stride + row;
        if (task.bias) sum = add(sum, load_up_to(task.bias + row, count));
        if (task.residual) sum = add(load_up_to(task.residual + at, count), sum);
        store_up_to(task.y + at, sum, count);
    }
};

// From this number of columns on a product has time to ask for its next block early. The
// processor's own prefetching loses its track where a block is read again for the next columns;
// with fewer columns memory is the limit, and asking only delays.
constexpr int kBusyColumns = kMaxColumns < 5 ? kMaxColumns : 5;

template <Format F, int W>
void int8_columns(const LinearTask& task, int64_t token, int64_t block) {
    const int64_t block_bytes = task.weights->block_bytes(), groups = task.codes->groups_of_row();
    const uint8_t* w = task.weights->data + block * block_bytes;
    const QuantizedGroup* x = task.codes->row(token);
    Vec acc[W];
    unrolled<W>([&](int m) { acc[m] = set(0.0f); });
    for (int64_t g = 0; g < groups; ++g) {
        for (int part = 0; part < kGroup / F.group; ++part) {
            if constexpr (W >= kBusyColumns) {
                for (size_t at = 0; at < F.group_bytes(); at += 64) prefetch(w + block_bytes + at);
            }
            add_group<F, W>({w}, x + g, groups, part, acc);
            w += F.group_bytes();
        }
    }
    const Output output{task};
    Vec totals[W];  // a copy, so that acc itself can stay in registers
    unrolled<W>([&](int m) { totals[m] = acc[m]; });
    for (int m = 0; m < W; ++m) output.write(block, token + m, totals[m]);
}

// Calls `f` with the number of columns, 1 … kMaxColumns, as a compile-time constant.
template <class F>
inline void with_columns(int64_t columns, F f) {
    [&]<int... I>(std::integer_sequence<int, I...>) {
        ((columns == I + 1 && (f.template operator()<I + 1>(), true)) || ...);
    }(std::make_integer_sequence<int, kMaxColumns>{});
}

template <Format F>
void int8_blocks(const LinearTask& task) {
    for (int64_t block = task.block_begin; block < task.block_end; ++block) {
        for (int64_t token = 0; token < task.tokens; token += kMaxColumns) {
            const int64_t rest = task.tokens - token;
            with_columns(rest < kMaxColumns ? rest : kMaxColumns,
                         [&]<int W>() { int8_columns<F, W>(task, token, block); });
        }
    }
}

// Calls `use(k, weights)` for the inputs k of `num_groups` groups: 16 rows' weights as float32.
template <Format F, class Use>
inline void decode_groups(const uint8_t* p, int64_t num_groups, Use use) {
    if constexpr (F.is_float()) {
        for (int64_t k = 0; k < num_groups; ++k, p += F.group_bytes()) {
            if constexpr (F.codes == Codes::float32) {
                use(k, load(reinterpret_cast<const float*>(p)));
            } else if constexpr (F.codes == Codes::float16) {
                use(k, load_half(reinterpret_cast<const uint16_t*>(p)));
            } else {
                use(k, load_bfloat16(reinterpret_cast<const uint16_t*>(p)));
            }
        }
    } else {
        const Vec offset = set(F.offset);
        for (int64_t g = 0; g < num_groups; ++g, p += F.group_bytes()) {
            const Group<F> group{p};
            const Vec scale = group.scale();
            const Vec minimum = F.has_minimum ? group.minimum() : set(0.0f);
            for (int k = 0; k < F.group; ++k) {
                uint8_t codes[4 * kRows], column[kRows];
                const Bytes quad = group.quad(k / 4);
                std::memcpy(codes, &quad, sizeof codes);
                for (int row = 0; row < kRows; ++row) column[row] = codes[4 * row + k % 4];
                const Vec code = load_unsigned_bytes(column);
                use(g * F.group + k,
                    F.has_minimum ? fma(scale, code, minimum) : mul(scale, sub(code, offset)));
            }
        }
    }
}

// Four running sums by k mod 4, joined at the end.
template <Format F, int W>
inline void float_columns(const LinearTask& task, int64_t token, int64_t block) {
    const uint8_t* w = task.weights->data + block * task.weights->block_bytes();
    Vec acc[4][W];
    for (auto& part : acc) {
        for (Vec& sum : part) sum = set(0.0f);
    }
    const float* x = task.x + token * task.x_stride;
    decode_groups<F>(w, task.weights->cols / F.group, [&](int64_t k, Vec weights) {
        Vec* part = acc[k % 4];
        for (int m = 0; m < W; ++m) part[m] = fma(weights, set(x[m * task.x_stride + k]), part[m]);
    });
    const Output output{task};
    for (int m = 0; m < W; ++m) {
        output.write(block, token + m, add(add(acc[0][m], acc[1][m]), add(acc[2][m], acc[3][m])));
    }
}

template <Format F>
void float_blocks(const LinearTask& task) {
    for (int64_t block = task.block_begin; block < task.block_end; ++block) {
        int64_t token = 0;
        for (; token + 4 <= task.tokens; token += 4) float_columns<F, 4>(task, token, block);
        for (; token < task.tokens; ++token) float_columns<F, 1>(task, token, block);
    }
}

template <Format F>
void decode_row_of(const Matrix& matrix, int64_t row, float* out) {
    const uint8_t* w = matrix.data + row / kRows * matrix.block_bytes();
    decode_groups<F>(w, matrix.cols / F.group, [&](int64_t k, Vec weights) {
        float lane[kLanes];
        store(lane, weights);
        out[k] = lane[row % kRows];
    });
}

// Calls `f` with the format as a compile-time constant.
template <class F>
inline void with_format(const Format& format, F f) {
    constexpr Format kFormats[] = {
        {Codes::nibble, 32, false, false, 8},  // Q4_0
        {Codes::nibble, 32, false, true, 0},   // Q4_1
        {Codes::nibble, 32, true, true, 0},    // Q4_K
        {Codes::nibble, 16, true, true, 0},    // Q2_K
        {Codes::nibble, 16, true, false, 4},   // Q3_K
        {Codes::byte, 32, false, false, 16},   // Q5_0
        {Codes::byte, 32, false, true, 0},     // Q5_1
        {Codes::byte, 32, true, true, 0},      // Q5_K
        {Codes::byte, 32, false, false, 128},  // Q8_0
        {Codes::byte, 16, true, false, 32},    // Q6_K
        {Codes::float32, 1, false, false, 0},  {Codes::float16, 1, false, false, 0},
        {Codes::bfloat16, 1, false, false, 0},
    };
    [&]<size_t... I>(std::index_sequence<I...>) {
        ((format == kFormats[I] && (f.template operator()<kFormats[I]>(), true)) || ...);
    }(std::make_index_sequence<std::size(kFormats)>{});
}

void linear_int8(const LinearTask& task) {
    with_format(task.weights->format, [&]<Format F>() {
        if constexpr (!F.is_float()) int8_blocks<F>(task);
    });
}

void linear_float(const LinearTask& task) {
    with_format(task.weights->format, [&]<Format F>() { float_blocks<F>(task); });
}

void decode_row(const Matrix& matrix, int64_t row, float* out) {
    with_format(matrix.format, [&]<Format F>() { decode_row_of<F>(matrix, row, out); });
}

}  // namespace
}  // namespace foretell
