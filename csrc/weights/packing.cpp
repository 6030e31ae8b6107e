#include "weights/packing.h"

#include <cmath>
#include <cstring>

#include "weights/bytes.h"

namespace foretell {
namespace {

// `Bits` bits of the codes of `Quads` quads, from bit `From` of each, into a line: a row's word in
// it has the bits of the first quad lowest in each byte.
template <int Bits, int Quads, int From>
uint32_t gather(const uint8_t* codes) {
    static_assert(Bits * Quads == 8);
    constexpr uint32_t kMask = 0x01010101u * ((1u << Bits) - 1);
    uint32_t word = 0;
    for (int t = 0; t < Quads; ++t) {
        word |= (word_at(codes + 4 * t) >> From & kMask) << Bits * t;
    }
    return word;
}

// The plane of these bits of a chunk; returns where the next plane begins.
template <int Bits, int From>
uint8_t* put_plane(const uint8_t* codes, int lane, uint8_t* lines) {
    constexpr int kQuads = 8 / Bits;
    for (int t = 0; t < kGroup / 4; t += kQuads, lines += 64) {
        const uint32_t word = gather<Bits, kQuads, From>(codes + 4 * t);
        std::memcpy(lines + 4 * lane, &word, 4);
    }
    return lines;
}

template <Codes C>
void put_chunk(const uint8_t* codes, int lane, uint8_t* chunk) {
    if constexpr (C == Codes::b8) {
        put_plane<8, 0>(codes, lane, chunk);
    } else if constexpr (C == Codes::b1) {
        put_plane<1, 0>(codes, lane, chunk);
    } else if constexpr (C == Codes::b2 || C == Codes::b2_1) {
        uint8_t* next = put_plane<2, 0>(codes, lane, chunk);
        if constexpr (C == Codes::b2_1) put_plane<1, 2>(codes, lane, next);
    } else {
        uint8_t* next = put_plane<4, 0>(codes, lane, chunk);
        if constexpr (C == Codes::b4_1) put_plane<1, 4>(codes, lane, next);
        if constexpr (C == Codes::b4_2) put_plane<2, 4>(codes, lane, next);
    }
}

bool is_finite_half(uint16_t bits) { return (bits & 0x7c00) != 0x7c00; }

// False where an E8M0 scale is NaN, or makes a weight of its group infinite.
bool are_finite_e8m0(const Format& format, const Unpacked& block) {
    constexpr int kSafe = 252;  // the largest 4-bit float is 12: 12 * 2^(252 - 128) is finite
    for (int g = 0; g < format.groups(); ++g) {
        const int scale = block.scales[g];
        if (scale <= kSafe) continue;
        if (scale == 255) return false;
        const TableValues values = table_values(format.table);
        for (int k = g * format.group; k < (g + 1) * format.group; ++k) {
            const float value = values[block.codes[k]];
            if (!std::isfinite(std::ldexp(value, scale - 128))) return false;
        }
    }
    return true;
}

void put_bytes(const uint8_t* bytes, int count, int lane, uint8_t* out) {
    for (int g = 0; g < count; ++g) out[g * kRows + lane] = bytes[g];
}

// Scales and minima of one row of a unit; false if they are not finite.
bool put_scales(const Format& format, const Unpacked& block, int lane, uint8_t* unit) {
    bool finite = true;
    if (format.has_half()) {
        std::memcpy(unit + 2 * lane, &block.scale, 2);
        finite = is_finite_half(block.scale);
    }
    if (format.has_zero) {
        unit[format.minimum_at() + lane] = static_cast<uint8_t>(block.minimum);
    } else if (format.has_minimum) {
        std::memcpy(unit + format.minimum_at() + 2 * lane, &block.minimum, 2);
        finite = finite && is_finite_half(block.minimum);
    }
    if (format.scales == Scales::e8m0) finite = finite && are_finite_e8m0(format, block);
    const int groups = format.groups();
    if (format.has_scale_bytes()) {
        put_bytes(block.scales, groups, lane, unit + format.scale_bytes_at());
    }
    if (format.has_minimum_bytes()) {
        put_bytes(block.minima, groups, lane, unit + format.minimum_bytes_at());
    }
    return finite;
}

// One row of a quantized tensor, into lane `lane` of the block at `out`.
template <Codes C>
bool pack_quantized_row(const FileType& type, const uint8_t* row, int64_t cols, int lane,
                        uint8_t* out) {
    const Format format = type.format;
    bool finite = true;
    for (int64_t k = 0; k < cols; k += format.unit, row += type.block_bytes) {
        Unpacked block;
        type.unpack(row, block);
        finite = put_scales(format, block, lane, out) && finite;
        uint8_t* chunk = out + format.chunks_at();
        for (int at = 0; at < format.unit; at += kGroup, chunk += format.chunk_bytes()) {
            put_chunk<C>(block.codes + at, lane, chunk);
        }
        out += format.unit_bytes();
    }
    return finite;
}

bool is_finite(const uint8_t* p, Codes codes) {
    if (codes == Codes::float32) return (word_at(p) & 0x7f800000) != 0x7f800000;
    const int exponent = codes == Codes::float16 ? 0x7c00 : 0x7f80;
    return ((p[1] << 8 | p[0]) & exponent) != exponent;
}

template <Codes C>
bool pack_float_row(const FileType&, const uint8_t* row, int64_t cols, int lane, uint8_t* out) {
    constexpr int kBytes = C == Codes::float32 ? 4 : 2;
    bool finite = true;
    for (int64_t k = 0; k < cols; ++k) {
        const uint8_t* value = row + k * kBytes;
        std::memcpy(out + (k * kRows + lane) * kBytes, value, kBytes);
        finite &= is_finite(value, C);
    }
    return finite;
}

// Blocks of a float32 scale and as many codes.
bool pack_e4m3_row(const FileType& type, const uint8_t* row, int64_t cols, int lane, uint8_t* out) {
    constexpr float kLargest = 448.0f;
    const Format format = type.format;
    bool finite = true;
    for (int64_t k = 0; k < cols; k += format.unit, row += type.block_bytes) {
        float scale;
        std::memcpy(&scale, row, 4);
        std::memcpy(out + 4 * lane, row, 4);
        finite = finite && std::isfinite(scale * kLargest);
        uint8_t* codes = out + format.chunks_at() + lane;
        for (int i = 0; i < format.unit; ++i) {
            codes[i * kRows] = row[4 + i];
            finite &= (row[4 + i] & 0x7f) != 0x7f;
        }
        out += format.unit_bytes();
    }
    return finite;
}

using PackRow = bool (*)(const FileType&, const uint8_t*, int64_t, int, uint8_t*);

PackRow row_packer(Codes codes) {
    switch (codes) {
        case Codes::b4:
            return pack_quantized_row<Codes::b4>;
        case Codes::b8:
            return pack_quantized_row<Codes::b8>;
        case Codes::b1:
            return pack_quantized_row<Codes::b1>;
        case Codes::b2:
            return pack_quantized_row<Codes::b2>;
        case Codes::b4_1:
            return pack_quantized_row<Codes::b4_1>;
        case Codes::b4_2:
            return pack_quantized_row<Codes::b4_2>;
        case Codes::b2_1:
            return pack_quantized_row<Codes::b2_1>;
        case Codes::float32:
            return pack_float_row<Codes::float32>;
        case Codes::float16:
            return pack_float_row<Codes::float16>;
        case Codes::bfloat16:
            return pack_float_row<Codes::bfloat16>;
        case Codes::e4m3:
            return pack_e4m3_row;
    }
    return nullptr;
}

}  // namespace

bool pack_blocks(const FileType& type, const uint8_t* source, const Matrix& matrix,
                 int64_t block_begin, int64_t block_end) {
    const int64_t row_bytes = matrix.cols / type.block_size * type.block_bytes;
    const PackRow pack_row = row_packer(type.format.codes);
    bool finite = true;
    for (int64_t block = block_begin; block < block_end; ++block) {
        uint8_t* out = matrix.data + block * matrix.block_bytes();
        for (int lane = 0; lane < kRows && block * kRows + lane < matrix.rows; ++lane) {
            const uint8_t* row = source + (block * kRows + lane) * row_bytes;
            finite = pack_row(type, row, matrix.cols, lane, out) && finite;
        }
    }
    return finite;
}

}  // namespace foretell
