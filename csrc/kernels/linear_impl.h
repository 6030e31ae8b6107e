// Matrix products over packed weights. See kernels_impl.h; weights/formats.h has the layout.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <iterator>

#include "kernels/elementwise_impl.h"
#include "kernels/inline.h"
#include "weights/half.h"

namespace foretell {
namespace {

// Sixteen rows of a unit: its float16 scales and minima, and those of each of its groups.
template <Format F>
struct Unit {
    const uint8_t* data;
    Vec unit_scale, unit_minimum;  // 0 where the format has none

    FORETELL_INLINE explicit Unit(const uint8_t* p)
        : data(p), unit_scale(set(0.0f)), unit_minimum(set(0.0f)) {
        if constexpr (F.has_half()) unit_scale = halves_at(0);
        if constexpr (F.exponent != 0) unit_scale = mul(unit_scale, set(kFactor));
        if constexpr (F.has_zero) {
            const Int zeros = load_unsigned_bytes(data + F.minimum_at());
            unit_minimum = mul(sub(set(0.0f), unit_scale), to_float(zeros));
        } else if constexpr (F.has_minimum) {
            unit_minimum = halves_at(F.minimum_at());
        }
    }

    FORETELL_INLINE Vec scale(int group) const {
        if constexpr (F.scales == Scales::half) return unit_scale;
        const uint8_t* bytes = data + F.scale_bytes_at() + group * kRows;
        if constexpr (F.scales == Scales::unsigned_bytes) {
            return mul(unit_scale, to_float(load_unsigned_bytes(bytes)));
        } else if constexpr (F.scales == Scales::signed_bytes) {
            return mul(unit_scale, to_float(load_signed_bytes(bytes)));
        } else if constexpr (F.scales == Scales::nibbles) {
            return mul(unit_scale, to_float(and_int(load_unsigned_bytes(bytes), set_int(15))));
        } else if constexpr (F.scales == Scales::e8m0) {
            // Half of the float with this exponent; for a byte of 0, which has none, 2^-128.
            const Int exponents = load_unsigned_bytes(bytes);
            const Vec half = mul(from_bits(shift_left<23>(exponents)), set(0.5f));
            return select_below(to_float(exponents), set(0.5f), set(0x1p-128f), half);
        } else {
            // Exponent and fraction where a float has them, its bias 127 for theirs of 7; halved.
            const Int bits = shift_left<20>(load_unsigned_bytes(bytes));
            return mul(from_bits(bits), set(0x1p119f));
        }
    }
    FORETELL_INLINE Vec minimum(int group) const {
        static_assert(F.has_minimum);
        if constexpr (F.scales == Scales::half) return unit_minimum;
        if constexpr (F.scales == Scales::nibbles) {
            const uint8_t* bytes = data + F.scale_bytes_at() + group * kRows;
            return mul(unit_minimum, to_float(shift_right<4>(load_unsigned_bytes(bytes))));
        } else {
            const uint8_t* bytes = data + F.minimum_bytes_at() + group * kRows;
            return mul(unit_minimum, to_float(load_unsigned_bytes(bytes)));
        }
    }

  private:
    static constexpr float kFactor = F.exponent < 0 ? 1.0f / (1 << -F.exponent) : 1 << F.exponent;

    FORETELL_INLINE Vec halves_at(size_t at) const {
        return load_half(reinterpret_cast<const uint16_t*>(data + at));
    }
};

// The entries of a format's table, as unsigned bytes.
template <Format F>
constexpr auto kEntries = [] {
    std::array<uint8_t, 16> entries{};
    for (int i = 0; i < 16; ++i) {
        entries[i] = static_cast<uint8_t>(table_values(F.table)[i] + F.offset);
    }
    return entries;
}();

// 32 inputs of sixteen rows: quad<t>() holds the values of inputs 4t … 4t + 3.
template <Format F>
struct Chunk {
    const uint8_t* lines;

    template <int T>
    FORETELL_INLINE Bytes quad() const {
        if constexpr (F.table != Table::none) return look_up(kEntries<F>.data(), codes<T>());
        return codes<T>();
    }

  private:
    template <int T>
    FORETELL_INLINE Bytes codes() const {
        if constexpr (F.codes == Codes::b8) {
            return load_codes(lines + 64 * T);
        } else if constexpr (F.codes == Codes::b1) {
            return take_bits<1, T>(load_codes(lines));
        } else if constexpr (F.codes == Codes::b2 || F.codes == Codes::b2_1) {
            const Bytes low = take_bits<2, T % 4 * 2>(load_codes(lines + 64 * (T / 4)));
            if constexpr (F.codes == Codes::b2) return low;
            return add_bits<1, T, 2>(low, load_codes(lines + 128));
        } else {
            const Bytes low = take_bits<4, T % 2 * 4>(load_codes(lines + 64 * (T / 2)));
            if constexpr (F.codes == Codes::b4_1) {
                return add_bits<1, T, 4>(low, load_codes(lines + 256));
            } else if constexpr (F.codes == Codes::b4_2) {
                return add_bits<2, T % 4 * 2, 4>(low, load_codes(lines + 256 + 64 * (T / 4)));
            }
            return low;
        }
    }
};

// -Σ x over a group of weights: all of x, or its half `part`.
template <Format F>
FORETELL_INLINE Int minus_sum_of(const QuantizedGroup& x, int part) {
    if (F.group == kGroup) return set_int(x.minus_sum);
    const Int first = set_int(x.minus_half_sum);
    return part == 0 ? first : sub_int(set_int(x.minus_sum), first);
}

// Σ x times the scale of x.
template <Format F>
FORETELL_INLINE Vec scaled_sum_of(const QuantizedGroup& x, int part) {
    if (F.group == kGroup) return set(x.scaled_sum);
    return mul(set(-x.scale), to_float(minus_sum_of<F>(x, part)));
}

// What takes the offset off all values of a group: -offset * Σ x.
template <Format F>
FORETELL_INLINE Int minus_offset(const QuantizedGroup& x, int part) {
    if constexpr (F.offset == 0) {
        return set_int(0);
    } else {
        constexpr int kShift = std::countr_zero(F.offset);
        static_assert(F.offset == 1 << kShift);
        return shift_left<kShift>(minus_sum_of<F>(x, part));
    }
}

// dots[m] = Σ (value - offset) * x over a group, exactly, for W tokens, which lie `stride` groups
// apart in x; `Part`: which half of x, for groups of 16. The tokens' sums grow side by side, so
// that no multiplication waits for the one before.
template <Format F, int W, int Part>
FORETELL_INLINE void dot_group(Chunk<F> chunk, const QuantizedGroup* x, int64_t stride,
                               Int dots[W]) {
    constexpr int kQuads = F.group / 4, kLargest = F.largest_value();
    Sum<kLargest> sums[W];
    unrolled<W>(
        [&](int m) { sums[m] = start_sum<kLargest>(minus_offset<F>(x[m * stride], Part)); });
    unrolled<kQuads>([&](auto t) {
        constexpr int kFirst = Part * kQuads;
        const Bytes values = chunk.template quad<kFirst + t>();
        unrolled<W>([&](int m) {
            add_quad<kLargest, t>(sums[m], values, x[m * stride].codes + 4 * (kFirst + t));
        });
    });
    unrolled<W>([&](int m) { dots[m] = finish(sums[m], minus_offset<F>(x[m * stride], Part)); });
}

// acc[m] += Σ weight * x over a group.
template <Format F, int W, int Part>
FORETELL_INLINE void add_group(const Unit<F>& unit, int group, Chunk<F> chunk,
                               const QuantizedGroup* x, int64_t stride, Vec acc[W]) {
    Int dots[W];
    dot_group<F, W, Part>(chunk, x, stride, dots);
    const Vec scale = unit.scale(group);
    unrolled<W>([&](int m) {
        acc[m] = fma(to_float(dots[m]), mul(scale, set(x[m * stride].scale)), acc[m]);
    });
    if constexpr (F.has_minimum) {
        const Vec minimum = unit.minimum(group);
        unrolled<W>(
            [&](int m) { acc[m] = fma(minimum, scaled_sum_of<F>(x[m * stride], Part), acc[m]); });
    }
}

struct Output {
    const LinearTask& task;

    FORETELL_INLINE void write(int64_t block, int64_t token, Vec sum) const {
        const int64_t row = block * kRows, count = task.weights->rows - row;
        if (task.bias) sum = add(sum, load_up_to(task.bias + row, count));
        if (task.targets) return add_to_target(row, token, sum, count);
        const int64_t at = token * task.y_stride + row;
        if (task.residual) sum = add(load_up_to(task.residual + at, count), sum);
        store_up_to(task.y + at, sum, count);
    }

  private:
    void add_to_target(int64_t row, int64_t token, Vec sum, int64_t count) const {
        float* y = task.y + task.targets[token] * task.y_stride + row;
        store_up_to(y, fma(set(task.factors[token]), sum, load_up_to(y, count)), count);
    }
};

// The tokens from `token` on. With the first of all the next block is asked for: the processor's
// own prefetching loses its track among lines of several kinds, and where a block is read again.
template <Format F, int W>
void int8_columns(const LinearTask& task, int64_t token, int64_t block) {
    constexpr int kChunks = F.unit / kGroup, kParts = kGroup / F.group;
    const int64_t block_bytes = task.weights->block_bytes(), groups = task.codes->groups_of_row();
    const uint8_t* w = task.weights->data + block * block_bytes;
    const QuantizedGroup* x = task.codes->row(token);
    const bool is_first = token == 0;
    Vec acc[W];
    unrolled<W>([&](int m) { acc[m] = set(0.0f); });
    for (int64_t left = groups; left > 0; left -= kChunks, w += F.unit_bytes()) {
        const Unit<F> unit(w);
        for (int c = 0; c < kChunks; ++c, ++x) {
            if (is_first) {
                constexpr size_t kShare = F.unit_bytes() / kChunks;
                const uint8_t* next = w + block_bytes + c * kShare;
                for (size_t at = 0; at < kShare; at += 64) prefetch(next + at);
            }
            const Chunk<F> chunk{w + F.chunks_at() + c * F.chunk_bytes()};
            unrolled<kParts>([&](auto part) {
                add_group<F, W, part>(unit, c * kParts + part, chunk, x, groups, acc);
            });
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

// Sixteen rows' weights of chunk `c` of a unit, as float32.
template <Format F>
void decode_chunk(const uint8_t* p, int c, Vec weights[kGroup]) {
    const Unit<F> unit(p);
    const Chunk<F> chunk{p + F.chunks_at() + c * F.chunk_bytes()};
    uint8_t values[kGroup / 4][4 * kRows];
    unrolled<kGroup / 4>([&](auto t) {
        const Bytes quad = chunk.template quad<t>();
        std::memcpy(values[t], &quad, sizeof quad);
    });
    const auto value_of = [&](int k) {
        uint8_t column[kRows];
        for (int row = 0; row < kRows; ++row) column[row] = values[k / 4][4 * row + k % 4];
        return to_float(load_unsigned_bytes(column));
    };
    for (int first = 0; first < kGroup; first += F.group) {
        const int group = (c * kGroup + first) / F.group;
        const Vec scale = unit.scale(group);
        if constexpr (F.has_minimum) {
            const Vec minimum = unit.minimum(group);
            for (int k = first; k < first + F.group; ++k) {
                weights[k] = fma(scale, value_of(k), minimum);
            }
        } else {
            for (int k = first; k < first + F.group; ++k) {
                weights[k] = mul(scale, sub(value_of(k), set(F.offset)));
            }
        }
    }
}

// One input's weights of a block of rows, in a float format without scales.
template <Format F>
FORETELL_INLINE Vec floats_at(const uint8_t* p) {
    if constexpr (F.codes == Codes::float32) {
        return load(reinterpret_cast<const float*>(p));
    } else if constexpr (F.codes == Codes::float16) {
        return load_half(reinterpret_cast<const uint16_t*>(p));
    } else {
        return load_bfloat16(reinterpret_cast<const uint16_t*>(p));
    }
}

// Calls `use(k, k mod 4, weights)` for each of `cols` inputs of the block of rows at p.
template <Format F, class Use>
inline void decode_block(const uint8_t* p, int64_t cols, Use use) {
    if constexpr (F.unit == 1) {
        int64_t k = 0;
        for (; k + 4 <= cols; k += 4, p += 4 * F.unit_bytes()) {
            unrolled<4>([&](auto i) { use(k + i, i, floats_at<F>(p + i * F.unit_bytes())); });
        }
        for (; k < cols; ++k, p += F.unit_bytes()) use(k, k % 4, floats_at<F>(p));
        return;
    }
    for (int64_t k = 0; k < cols; k += F.unit, p += F.unit_bytes()) {
        if constexpr (F.codes == Codes::e4m3) {
            const Vec scale = mul(load(reinterpret_cast<const float*>(p)), set(256.0f));
            const uint8_t* codes = p + F.chunks_at();
            for (int at = 0; at < F.unit; at += 4) {
                unrolled<4>([&](auto i) {
                    use(k + at + i, i, mul(load_e4m3(codes + (at + i) * kRows), scale));
                });
            }
        } else if constexpr (!F.is_float()) {
            for (int c = 0; c < F.unit / kGroup; ++c) {
                Vec weights[kGroup];
                decode_chunk<F>(p, c, weights);
                for (int i = 0; i < kGroup; ++i) use(k + c * kGroup + i, i % 4, weights[i]);
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
    decode_block<F>(w, task.weights->cols, [&](int64_t k, auto mod, Vec weights) {
        Vec* part = acc[mod];
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
    decode_block<F>(w, matrix.cols, [&](int64_t k, auto, Vec weights) {
        float lane[kLanes];
        store(lane, weights);
        out[k] = lane[row % kRows];
    });
}

// Calls `f` with the format as a compile-time constant.
template <class F>
inline void with_format(const Format& format, F f) {
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
