// From a model file's tensors to packed matrices.
#pragma once

#include <cstdint>

#include "weights/file_types.h"
#include "weights/matrix.h"

namespace foretell {

// Packs block rows [block_begin, block_end) of `matrix`, whose memory is zero, from `source`, the
// whole tensor's bytes in the file's own layout. Returns false if a scale or a float weight is not
// finite.
bool pack_blocks(const FileType& type, const uint8_t* source, const Matrix& matrix,
                 int64_t block_begin, int64_t block_end);

}  // namespace foretell
