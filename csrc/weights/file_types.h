// The tensor types of model files: how many bytes a block takes, how it is taken apart, and the
// packed format that has room for exactly what is in it.
#pragma once

#include <cstdint>

#include "weights/formats.h"

namespace foretell {

// One block of integers of a file, taken apart: `Format` says what its weights are.
struct Unpacked {
    uint8_t codes[256];  // of the inputs, in order
    uint8_t scales[16];  // a byte a group, where the format has them; so are minima
    uint8_t minima[16];
    uint16_t scale;    // float16 bits, of the unit
    uint16_t minimum;  // or the zero
};

// Ids from 1000 on are foretell's own: no GGUF file has them. Matrices of checkpoints that lie in
// several tensors are brought into such blocks as they are read.
constexpr int kOwnTypes = 1000;

// How a file stores `block_size` weights in `block_bytes` bytes. A block of integers becomes a unit
// of the packed format.
struct FileType {
    int ggml_id;
    const char* name;
    int block_size;
    int block_bytes;
    Format format;
    void (*unpack)(const uint8_t* block, Unpacked& out);  // null for float types
};

// Null for a type that is not known.
const FileType* find_file_type(int ggml_id);

}  // namespace foretell
