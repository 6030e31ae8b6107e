#include "weights/file_rows.h"

#include <algorithm>
#include <cstring>

#include "weights/packing.h"

namespace foretell {

void RowUnpacker::fit(const FileRows& file) {
    const size_t bytes = Matrix{file.type->format, kRows, file.cols}.bytes();
    if (memory_.size() < bytes) memory_ = Buffer(bytes);
}

bool RowUnpacker::pack(const FileRows& file, int64_t row, int64_t count) {
    block_ = {file.type->format, count, file.cols, memory_.data()};
    std::memset(block_.data, 0, block_.bytes());
    return pack_blocks(*file.type, file.bytes + row * file.row_bytes(), block_, 0, 1);
}

void RowUnpacker::decode(const Kernels& kernels, const FileRows& file, int64_t row, float* out) {
    pack(file, row, 1);
    kernels.decode_row(block_, 0, out);
}

bool RowUnpacker::is_finite(const FileRows& file, int64_t begin, int64_t end) {
    bool finite = true;
    for (int64_t row = begin; row < end; row += kRows) {
        finite = pack(file, row, std::min<int64_t>(kRows, end - row)) && finite;
    }
    return finite;
}

}  // namespace foretell
