// Weights: how they and quantized activations lie in memory. packing.cpp writes them as a model is
// loaded; the kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foretell {

constexpr int kRows = 16;   // output rows of a block: one vector lane each
constexpr int kGroup = 32;  // inputs that share one activation scale

// A packed weight is `scale * (code - offset)`, or `scale * code + minimum` where there are minima;
// float formats are stored as they are.
enum class Codes : uint8_t { nibble, byte, float32, float16, bfloat16 };

struct Format {
    Codes codes;
    uint8_t group;     // inputs that share a scale: 32 or 16; 1 for float formats
    bool wide_scale;   // float32 scales and minima, else float16
    bool has_minimum;  // minima follow the scales
    uint8_t offset;    // subtracted from each code

    constexpr bool is_float() const { return codes >= Codes::float32; }

    // Bytes of one group of one block of rows: codes, then scales, then minima.
    // Codes of a group, for nibbles: 64-byte lines, each with inputs 8t..8t+3 of every row in the
    // low nibbles and 8t+4..8t+7 in the high ones; for bytes: 64-byte lines with inputs 4t..4t+3.
    constexpr size_t group_bytes() const {
        switch (codes) {
            case Codes::float32:
                return kRows * 4;
            case Codes::float16:
            case Codes::bfloat16:
                return kRows * 2;
            default:
                break;
        }
        const size_t code_bytes = codes == Codes::nibble ? kRows * group / 2 : kRows * group;
        return code_bytes + scale_bytes() * (has_minimum ? 2 : 1);
    }
    constexpr size_t scale_bytes() const { return kRows * (wide_scale ? 4 : 2); }

    friend constexpr bool operator==(const Format&, const Format&) = default;
};

// A weight matrix `(rows, cols)` in blocks of kRows rows; missing rows of the last block are zero.
struct Matrix {
    Format format{};
    int64_t rows = 0, cols = 0;
    uint8_t* data = nullptr;  // (num_blocks, cols / format.group) groups

    int64_t num_blocks() const { return (rows + kRows - 1) / kRows; }
    size_t block_bytes() const { return format.group_bytes() * (cols / format.group); }
    size_t bytes() const { return block_bytes() * num_blocks(); }
};

// 32 activations of one token as int8, x ≈ scale * code, side by side with the sums that a
// product needs, so that threads that quantize different tokens write to different cache lines.
struct QuantizedGroup {
    int8_t codes[kGroup];
    float scale;
    float scaled_sum;  // scale * sum
    int32_t sum;       // of codes
    int32_t half_sum;  // of the first 16 codes
};

// Activations of several tokens.
struct Quantized {
    QuantizedGroup* groups = nullptr;  // (tokens, cols / kGroup)
    int64_t cols = 0;

    int64_t groups_of_row() const { return cols / kGroup; }
    QuantizedGroup* row(int64_t token) const { return groups + token * groups_of_row(); }
};

}  // namespace foretell
