// A matrix used where it lies in a mapped file: for rows that are looked up, and for nothing else.
#pragma once

#include "kernels/kernels.h"
#include "system/memory.h"
#include "weights/file_types.h"

namespace foretell {

// `(rows, cols)` in the file's own layout. The bytes belong to whoever mapped the file.
struct FileRows {
    const FileType* type = nullptr;
    const uint8_t* bytes = nullptr;
    int64_t rows = 0, cols = 0;

    int64_t row_bytes() const { return cols / type->block_size * type->block_bytes; }
};

// A block of packed rows, which file rows pass through: so a weight has the bits that it has in a
// packed matrix, whatever its format. Each thread has its own.
class RowUnpacker {
  public:
    // Room for a block of `file`.
    void fit(const FileRows& file);
    // Row `row` as float32 `(cols)`.
    void decode(const Kernels& kernels, const FileRows& file, int64_t row, float* out);
    // Whether rows [begin, end) hold finite scales and float weights alone.
    bool is_finite(const FileRows& file, int64_t begin, int64_t end);

  private:
    bool pack(const FileRows& file, int64_t row, int64_t count);

    Buffer memory_;
    Matrix block_;
};

}  // namespace foretell
