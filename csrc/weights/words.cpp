#include "weights/words.h"

#include <algorithm>
#include <cstring>

namespace foretell {
namespace {

constexpr int kTileRows = 64;   // whose codes of a block are taken from the words together
constexpr int kMaxBlock = 128;  // inputs

// A code a byte: `(kMaxBlock, kTileRows)`.
struct Tile {
    uint8_t codes[kMaxBlock][kTileRows];
};

// A code of so many bits from bit `at` on of a run of words, which are `stride` apart.
inline uint8_t code_at(const uint32_t* words, int64_t stride, int64_t at, int bits) {
    const int64_t word = at / 32;
    const int shift = static_cast<int>(at % 32);
    uint32_t value = words[word * stride] >> shift;
    if (shift + bits > 32) value |= words[(word + 1) * stride] << (32 - shift);
    return static_cast<uint8_t>(value & ((1u << bits) - 1));
}

inline int64_t input_at(const PackedWords& from, int64_t place) {
    return from.inputs ? from.inputs[place] : place;
}

void take_tile(const PackedWords& from, int64_t row, int count, int64_t col, int width,
               Tile& tile) {
    constexpr int kNibble[] = {0, 4, 1, 5, 2, 6, 3, 7};  // of each of eight rows, in its word
    const int64_t row_words = from.cols * from.bits / 32, column_words = from.rows / 8;
    for (int k = 0; k < width; ++k) {
        const int64_t input = input_at(from, col + k), at = input * from.bits;
        uint8_t* codes = tile.codes[k];
        switch (from.order) {
            case WordOrder::inputs_down:
                for (int r = 0; r < count; ++r) {
                    codes[r] = code_at(from.words + row + r, from.rows, at, from.bits);
                }
                break;
            case WordOrder::inputs_along:
                for (int r = 0; r < count; ++r) {
                    codes[r] = code_at(from.words + (row + r) * row_words, 1, at, from.bits);
                }
                break;
            case WordOrder::rows_interleaved:
                for (int r = 0; r < count; ++r) {
                    const uint32_t word = from.words[input * column_words + (row + r) / 8];
                    codes[r] = word >> 4 * kNibble[(row + r) % 8] & 15;
                }
                break;
        }
    }
}

// As the blocks keep them: nibbles of 32 inputs, the first half low; or bytes, signed for Q8_0.
void put_codes(const Tile& tile, int r, const FileType& type, uint8_t* out) {
    if (type.format.codes == Codes::b8) {
        const uint8_t sign = type.format.offset;
        for (int k = 0; k < type.block_size; ++k) out[k] = tile.codes[k][r] ^ sign;
        return;
    }
    for (int first = 0; first < type.block_size; first += 32, out += 16) {
        for (int k = 0; k < 16; ++k) {
            out[k] =
                static_cast<uint8_t>(tile.codes[first + k][r] | tile.codes[first + k + 16][r] << 4);
        }
    }
}

void put_block(const PackedWords& from, const FileType& type, int64_t row, int64_t col,
               const Tile& tile, int r, uint8_t* out) {
    const int64_t group = row * (from.cols / from.group) + col / from.group;
    std::memcpy(out, from.scales + group, 2);
    out += 2;
    if (type.format.has_zero) *out++ = from.zeros[group];
    put_codes(tile, r, type, out);
}

}  // namespace

int64_t num_words(WordOrder order, int bits, int64_t rows, int64_t cols) {
    return order == WordOrder::rows_interleaved ? cols * (rows / 8) : rows * (cols * bits / 32);
}

void make_blocks(const PackedWords& from, const FileType& type, int64_t begin, int64_t end,
                 uint8_t* blocks) {
    const int64_t row_bytes = from.cols / type.block_size * type.block_bytes;
    Tile tile;
    for (int64_t row = begin; row < end; row += kTileRows) {
        const int count = static_cast<int>(std::min<int64_t>(kTileRows, end - row));
        for (int64_t col = 0; col < from.cols; col += type.block_size) {
            take_tile(from, row, count, col, type.block_size, tile);
            for (int r = 0; r < count; ++r) {
                uint8_t* out =
                    blocks + (row + r) * row_bytes + col / type.block_size * type.block_bytes;
                put_block(from, type, row + r, col, tile, r, out);
            }
        }
    }
}

}  // namespace foretell
