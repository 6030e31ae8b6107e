// Weights and quantized activations in memory. packing.cpp writes weights as a model is loaded; the
// kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weights/formats.h"

namespace foretell {

// A weight matrix `(rows, cols)` in blocks of kRows rows; missing rows of the last block are zero.
struct Matrix {
    Format format{};
    int64_t rows = 0, cols = 0;
    uint8_t* data = nullptr;  // (num_blocks, cols / format.unit) units

    int64_t num_blocks() const { return (rows + kRows - 1) / kRows; }
    size_t block_bytes() const { return format.unit_bytes() * (cols / format.unit); }
    size_t bytes() const { return block_bytes() * num_blocks(); }
};

// 32 activations of one token as int8, x ≈ scale * code, side by side with the sums that a
// product needs, so that threads that quantize different tokens write to different cache lines.
struct QuantizedGroup {
    int8_t codes[kGroup];
    float scale;
    float scaled_sum;        // scale * sum of codes
    int32_t minus_sum;       // -1 times the sum of codes
    int32_t minus_half_sum;  // the same of the first 16
};

// Activations of several tokens.
struct Quantized {
    QuantizedGroup* groups = nullptr;  // (tokens, cols / kGroup)
    int64_t cols = 0;

    int64_t groups_of_row() const { return cols / kGroup; }
    QuantizedGroup* row(int64_t token) const { return groups + token * groups_of_row(); }
};

}  // namespace foretell
