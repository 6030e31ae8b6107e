#include "weights/packing.h"

#include <cmath>
#include <cstring>

#include "weights/half.h"

namespace foretell {
namespace {

float half_at(const uint8_t* p) {
    uint16_t bits;
    std::memcpy(&bits, p, 2);
    return half_to_float(bits);
}

uint32_t word_at(const uint8_t* p) {
    uint32_t word;
    std::memcpy(&word, p, 4);
    return word;
}

// 32 codes of 4 bits in 16 bytes: the first half in the low nibbles, the second in the high ones.
void split_nibbles(const uint8_t* p, uint8_t codes[32]) {
    for (int i = 0; i < 16; ++i) {
        codes[i] = p[i] & 15;
        codes[i + 16] = p[i] >> 4;
    }
}

void add_fifth_bits(uint32_t bits, uint8_t codes[32]) {
    for (int i = 0; i < 32; ++i) codes[i] |= (bits >> i & 1) << 4;
}

void unpack_q4_0(const uint8_t* p, uint8_t* codes, float* scales, float*) {
    scales[0] = half_at(p);
    split_nibbles(p + 2, codes);
}

void unpack_q4_1(const uint8_t* p, uint8_t* codes, float* scales, float* minima) {
    scales[0] = half_at(p);
    minima[0] = half_at(p + 2);
    split_nibbles(p + 4, codes);
}

void unpack_q5_0(const uint8_t* p, uint8_t* codes, float* scales, float*) {
    scales[0] = half_at(p);
    split_nibbles(p + 6, codes);
    add_fifth_bits(word_at(p + 2), codes);
}

void unpack_q5_1(const uint8_t* p, uint8_t* codes, float* scales, float* minima) {
    scales[0] = half_at(p);
    minima[0] = half_at(p + 2);
    split_nibbles(p + 8, codes);
    add_fifth_bits(word_at(p + 4), codes);
}

void unpack_q8_0(const uint8_t* p, uint8_t* codes, float* scales, float*) {
    scales[0] = half_at(p);
    for (int i = 0; i < 32; ++i) codes[i] = p[2 + i] ^ 0x80;  // signed to offset 128
}

// Two bits of each of 128 codes lie in 32 bytes: codes 32j … 32j + 31 in bits 2j and 2j + 1.
void split_pairs(const uint8_t* p, uint8_t codes[128]) {
    for (int i = 0; i < 128; ++i) codes[i] = p[i % 32] >> (i / 32 * 2) & 3;
}

void unpack_q2_k(const uint8_t* p, uint8_t* codes, float* scales, float* minima) {
    const float scale = half_at(p + 80), minimum = half_at(p + 82);
    for (int g = 0; g < 16; ++g) {
        scales[g] = scale * static_cast<float>(p[g] & 15);
        minima[g] = -(minimum * static_cast<float>(p[g] >> 4));
    }
    split_pairs(p + 16, codes);
    split_pairs(p + 48, codes + 128);
}

// Sixteen 6-bit scales in 12 bytes: four low bits in the first 8, two high bits in the last 4.
int q3_k_scale(const uint8_t* p, int g) {
    const int low = p[g % 8] >> (g / 8 * 4) & 15, high = p[8 + g % 4] >> (g / 4 * 2) & 3;
    return (high << 4 | low) - 32;
}

void unpack_q3_k(const uint8_t* p, uint8_t* codes, float* scales, float*) {
    const float scale = half_at(p + 108);
    for (int g = 0; g < 16; ++g) {
        scales[g] = scale * static_cast<float>(q3_k_scale(p + 96, g));
    }
    split_pairs(p + 32, codes);
    split_pairs(p + 64, codes + 128);
    for (int i = 0; i < 256; ++i) codes[i] |= (p[i % 32] >> (i / 32) & 1) << 2;
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes.
void q4_k_scale(const uint8_t* p, int g, int* scale, int* minimum) {
    if (g < 4) {
        *scale = p[g] & 63;
        *minimum = p[g + 4] & 63;
    } else {
        *scale = (p[g + 4] & 15) | (p[g - 4] >> 6 << 4);
        *minimum = (p[g + 4] >> 4) | (p[g] >> 6 << 4);
    }
}

void unpack_k_scales(const uint8_t* p, float* scales, float* minima) {
    const float scale = half_at(p), minimum = half_at(p + 2);
    for (int g = 0; g < 8; ++g) {
        int s, m;
        q4_k_scale(p + 4, g, &s, &m);
        scales[g] = scale * static_cast<float>(s);
        minima[g] = -(minimum * static_cast<float>(m));
    }
}

// 256 codes of 4 bits: 64 at a time, the first 32 in the low nibbles, the next in the high ones.
void split_k_nibbles(const uint8_t* p, uint8_t codes[256]) {
    for (int i = 0; i < 256; ++i) codes[i] = p[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

void unpack_q4_k(const uint8_t* p, uint8_t* codes, float* scales, float* minima) {
    unpack_k_scales(p, scales, minima);
    split_k_nibbles(p + 16, codes);
}

void unpack_q5_k(const uint8_t* p, uint8_t* codes, float* scales, float* minima) {
    unpack_k_scales(p, scales, minima);
    split_k_nibbles(p + 48, codes);
    for (int i = 0; i < 256; ++i) codes[i] |= (p[16 + i % 32] >> (i / 32) & 1) << 4;
}

void unpack_q6_k(const uint8_t* p, uint8_t* codes, float* scales, float*) {
    const float scale = half_at(p + 208);
    for (int g = 0; g < 16; ++g) {
        scales[g] = scale * static_cast<float>(static_cast<int8_t>(p[192 + g]));
    }
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, j = i % 128;
        const uint8_t low = p[half * 64 + j % 64] >> (j / 64 * 4) & 15;
        const uint8_t high = p[128 + half * 32 + j % 32] >> (j / 32 * 2) & 3;
        codes[i] = low | high << 4;
    }
}

constexpr FileType kFileTypes[] = {
    {0, "F32", 1, 4, {Codes::float32, 1, false, false, 0}, nullptr},
    {1, "F16", 1, 2, {Codes::float16, 1, false, false, 0}, nullptr},
    {30, "BF16", 1, 2, {Codes::bfloat16, 1, false, false, 0}, nullptr},
    {2, "Q4_0", 32, 18, {Codes::nibble, 32, false, false, 8}, unpack_q4_0},
    {3, "Q4_1", 32, 20, {Codes::nibble, 32, false, true, 0}, unpack_q4_1},
    {6, "Q5_0", 32, 22, {Codes::byte, 32, false, false, 16}, unpack_q5_0},
    {7, "Q5_1", 32, 24, {Codes::byte, 32, false, true, 0}, unpack_q5_1},
    {8, "Q8_0", 32, 34, {Codes::byte, 32, false, false, 128}, unpack_q8_0},
    {10, "Q2_K", 256, 84, {Codes::nibble, 16, true, true, 0}, unpack_q2_k},
    {11, "Q3_K", 256, 110, {Codes::nibble, 16, true, false, 4}, unpack_q3_k},
    {12, "Q4_K", 256, 144, {Codes::nibble, 32, true, true, 0}, unpack_q4_k},
    {13, "Q5_K", 256, 176, {Codes::byte, 32, true, true, 0}, unpack_q5_k},
    {14, "Q6_K", 256, 210, {Codes::byte, 16, true, false, 32}, unpack_q6_k},
};

void put_scale(uint8_t* p, bool wide, int lane, float x) {
    if (wide) {
        std::memcpy(p + 4 * lane, &x, 4);
    } else {
        const uint16_t bits = float_to_half(x);
        std::memcpy(p + 2 * lane, &bits, 2);
    }
}

// One row's codes of one group, into the lane of its block.
void put_codes(const Format& format, const uint8_t* codes, int lane, uint8_t* group) {
    for (int k = 0; k < format.group; k += 4) {
        const bool nibbles = format.codes == Codes::nibble;
        uint8_t* quad = group + (nibbles ? k / 8 : k / 4) * 64 + 4 * lane;
        const int shift = nibbles && k % 8 ? 4 : 0;
        for (int i = 0; i < 4; ++i) quad[i] |= codes[k + i] << shift;
    }
}

// One row of a quantized tensor, into lane `lane` of the block at `out`, which starts zeroed.
bool pack_quantized_row(const FileType& type, const uint8_t* row, int64_t cols, int lane,
                        uint8_t* out) {
    const Format& format = type.format;
    const size_t scales_at = format.group_bytes() - format.scale_bytes() * (1 + format.has_minimum);
    bool finite = true;
    for (int64_t k = 0; k < cols; k += type.block_size, row += type.block_bytes) {
        uint8_t codes[256];
        float scales[16], minima[16] = {};
        type.unpack(row, codes, scales, minima);
        for (int at = 0; at < type.block_size; at += format.group) {
            const int g = at / format.group;
            put_codes(format, codes + at, lane, out);
            put_scale(out + scales_at, format.wide_scale, lane, scales[g]);
            if (format.has_minimum) {
                put_scale(out + scales_at + format.scale_bytes(), format.wide_scale, lane,
                          minima[g]);
            }
            finite = finite && std::isfinite(scales[g]) && std::isfinite(minima[g]);
            out += format.group_bytes();
        }
    }
    return finite;
}

bool is_finite(const uint8_t* p, Codes codes) {
    if (codes == Codes::float32) return (word_at(p) & 0x7f800000) != 0x7f800000;
    const int exponent = codes == Codes::float16 ? 0x7c00 : 0x7f80;
    return ((p[1] << 8 | p[0]) & exponent) != exponent;
}

bool pack_float_row(const FileType& type, const uint8_t* row, int64_t cols, int lane,
                    uint8_t* out) {
    const int bytes = type.block_bytes;
    bool finite = true;
    for (int64_t k = 0; k < cols; ++k) {
        const uint8_t* value = row + k * bytes;
        std::memcpy(out + (k * kRows + lane) * bytes, value, bytes);
        finite = finite && is_finite(value, type.format.codes);
    }
    return finite;
}

}  // namespace

const FileType* find_file_type(int ggml_id) {
    for (const FileType& type : kFileTypes) {
        if (type.ggml_id == ggml_id) return &type;
    }
    return nullptr;
}

bool pack_blocks(const FileType& type, const uint8_t* source, const Matrix& matrix,
                 int64_t block_begin, int64_t block_end) {
    const int64_t row_bytes = matrix.cols / type.block_size * type.block_bytes;
    const auto pack_row = type.format.is_float() ? pack_float_row : pack_quantized_row;
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
