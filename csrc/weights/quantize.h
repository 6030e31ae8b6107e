// Float weights to integer codes, as a model is loaded.
#pragma once

#include <cstdint>

namespace foretell {

enum class FloatType { float32, float16, bfloat16 };
enum class CodeType { q8, q4 };

constexpr int kQ8BlockBytes = 34;  // scale, 32 codes
constexpr int kQ4BlockBytes = 20;  // scale, minimum, 32 codes: 0..15 in low, 16..31 in high nibbles

// Why a matrix cannot be quantized.
enum class Flaw { none, not_finite, too_large };

// Quantizes `groups` runs of 32 weights; `blocks` takes a block of GGUF's Q8_0 or Q4_1 for each.
Flaw quantize_groups(FloatType source, const uint8_t* weights, int64_t groups, CodeType target,
                     uint8_t* blocks);

}  // namespace foretell
