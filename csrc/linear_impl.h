// Matrix products over packed weights. See kernels_impl.h and matrix.h.
#pragma once

#include <cstring>
#include <iterator>
#include <utility>

#include "elementwise_impl.h"
#include "half.h"
#include "inline.h"

namespace foretell {
namespace {

// f(0) … f(N - 1), written out: what f indexes with them can stay in registers.
template <int N, class F>
FORETELL_INLINE void unrolled(F f) {
    [&]<int... I>(std::integer_sequence<int, I...>) {
        (f(I), ...);
    }(std::make_integer_sequence<int, N>{});
}

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

// dots[m] = Σ (code - offset) * x over a group, exactly, for W columns. Their sums grow side by
// side, so that no multiplication waits for the one before. Columns lie 4 bytes apart in x, quads
// `stride`.
template <Format F, int W>
FORETELL_INLINE void dot_group(const Group<F>& group, const int8_t* x, int stride,
                               const int32_t* sums_of_x, Int dots[W]) {
    decltype(zero_sum<F>()) sums[W];
    unrolled<W>([&](int m) { sums[m] = zero_sum<F>(); });
    for (int t = 0; t < Group<F>::kQuads; ++t) {
        const Bytes codes = group.quad(t);
        for (int m = 0; m < W; ++m) {
            const int8_t* four = x + t * stride + 4 * m;
            if constexpr (F.codes == Codes::nibble) {
                sums[m] = dot_nibbles(sums[m], codes, four);
            } else {
                sums[m] = dot_bytes(sums[m], codes, four);
            }
        }
    }
    int32_t excess[W];
    for (int m = 0; m < W; ++m) excess[m] = -F.offset * sums_of_x[m];
    for (int m = 0; m < W; ++m) {
        dots[m] = finish(sums[m]);
        if constexpr (F.offset > 0) dots[m] = add_int(dots[m], set_int(excess[m]));
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

// W columns of a tile of `Width`, from column `first` on.
template <Format F, int Width, int W>
inline void int8_columns(const LinearTask& task, const QuantizedTile& tile, int first,
                         int64_t token, int64_t block) {
    constexpr int kParts = kGroup / F.group;  // weight groups in an activation group
    const uint8_t* w = task.weights->data + block * task.weights->block_bytes();
    const int64_t groups = task.weights->cols / F.group;
    [[maybe_unused]] const int64_t block_bytes = groups * F.group_bytes();
    const float* scaled_sums = (kParts == 1 ? tile.scaled_sums : tile.scaled_halves) + first;
    const int32_t* sums = (kParts == 1 ? tile.sums : tile.halves) + first;
    const float* scales = tile.scales + first;
    const int8_t* x = tile.codes + 4 * first;
    Vec acc[W];
    unrolled<W>([&](int m) { acc[m] = set(0.0f); });
    for (int64_t g = 0; g < groups; ++g) {
        const Group<F> group{w};
        if constexpr (Width == kTile) {
            // The next block, early: the processor's own prefetching loses its track while a block
            // is read again for the next tile.
            for (size_t at = 0; at < F.group_bytes(); at += 64) prefetch(w + block_bytes + at);
        }
        Int dots[W];
        dot_group<F, W>(group, x, 4 * Width, sums + g * Width, dots);
        const Vec scale = group.scale();
        for (int m = 0; m < W; ++m) {
            const Vec both = mul(scale, set(scales[g / kParts * Width + m]));
            acc[m] = fma(to_float(dots[m]), both, acc[m]);
        }
        if constexpr (F.has_minimum) {
            const Vec minimum = group.minimum();
            for (int m = 0; m < W; ++m) {
                acc[m] = fma(minimum, set(scaled_sums[g * Width + m]), acc[m]);
            }
        }
        w += F.group_bytes();
        x += F.group * Width;
    }
    const Output output{task};
    Vec totals[W];  // a copy, so that acc itself can stay in registers
    unrolled<W>([&](int m) { totals[m] = acc[m]; });
    for (int m = 0; m < W; ++m) output.write(block, token + first + m, totals[m]);
}

template <Format F, int Width>
inline void int8_tile(const LinearTask& task, int64_t token, int64_t block) {
    const QuantizedTile tile = task.codes->tile(token);
    constexpr int kColumns = (kMaxColumns < Width) ? kMaxColumns : Width;
    constexpr int kRest = Width % kColumns;
    for (int first = 0; first + kColumns <= Width; first += kColumns) {
        int8_columns<F, Width, kColumns>(task, tile, first, token, block);
    }
    if constexpr (kRest > 0) {
        int8_columns<F, Width, kRest>(task, tile, Width - kRest, token, block);
    }
}

template <Format F>
void int8_blocks(const LinearTask& task) {
    for (int64_t block = task.block_begin; block < task.block_end; ++block) {
        for (int64_t token = 0; token < task.tokens; token += kTile) {
            switch (tile_width(token, task.tokens)) {
                case 1:
                    int8_tile<F, 1>(task, token, block);
                    break;
                case 2:
                    int8_tile<F, 2>(task, token, block);
                    break;
                case 3:
                    int8_tile<F, 3>(task, token, block);
                    break;
                case 4:
                    int8_tile<F, 4>(task, token, block);
                    break;
                case 5:
                    int8_tile<F, 5>(task, token, block);
                    break;
                case 6:
                    int8_tile<F, 6>(task, token, block);
                    break;
                case 7:
                    int8_tile<F, 7>(task, token, block);
                    break;
                default:
                    int8_tile<F, 8>(task, token, block);
                    break;
            }
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
