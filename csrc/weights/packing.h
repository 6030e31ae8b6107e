// From a model file's tensors to packed matrices.
#pragma once

#include <cstdint>

#include "weights/matrix.h"

namespace foretell {

// One ggml tensor type: how a file stores `block_size` weights in `block_bytes` bytes, and the
// format they are packed into.
struct FileType {
    int ggml_id;
    const char* name;
    int block_size;
    int block_bytes;
    Format format;
    // One file block to codes (in order) and, per group, scales and minima.
    void (*unpack)(const uint8_t* block, uint8_t* codes, float* scales, float* minima);
};

// Null for a type that is not known.
const FileType* find_file_type(int ggml_id);

// Packs block rows [block_begin, block_end) of `matrix` from `source`, the whole tensor's bytes in
// the file's own layout. Returns false if a scale or a float weight is not finite.
bool pack_blocks(const FileType& type, const uint8_t* source, const Matrix& matrix,
                 int64_t block_begin, int64_t block_end);

}  // namespace foretell
