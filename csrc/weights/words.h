// Integer codes that checkpoints keep in 32-bit words, the lowest bits first, brought into blocks.
#pragma once

#include <cstdint>

#include "weights/file_types.h"

namespace foretell {

// How the words of a matrix `(rows, cols)` lie, each with the codes of several inputs, or rows.
enum class WordOrder {
    inputs_down,       // (words of cols, rows): a run of inputs' bits goes down (GPTQ)
    inputs_along,      // (rows, words of cols): a run of inputs' bits goes along
    rows_interleaved,  // (cols, words of rows): rows 0 2 4 6 1 3 5 7 of eight, 4 bits each (AWQ)
};

struct PackedWords {
    const uint32_t* words;
    WordOrder order;
    int bits;                // of a code: 2, 3, 4 or 8
    const int32_t* inputs;   // (cols): which input comes at each place; null: they come in order
    const uint16_t* scales;  // (rows, cols / group), float16
    const uint8_t* zeros;    // the same; read if the blocks have zeros
    int64_t rows, cols, group;
};

// How many words there must be.
int64_t num_words(WordOrder order, int bits, int64_t rows, int64_t cols);

// Rows [begin, end) as blocks of `type`, whose block divides the group: one of S4_128, Z4_128,
// Z4_32, Z8_32, Q4_0, Q8_0. `blocks` is of the whole matrix, row by row.
void make_blocks(const PackedWords& from, const FileType& type, int64_t begin, int64_t end,
                 uint8_t* blocks);

}  // namespace foretell
