#include "weights/unpack.h"

#include <cstring>

#include "weights/bytes.h"

namespace foretell {
namespace {

constexpr uint16_t negative(uint16_t half) { return half ^ 0x8000; }

// Eight codes at a time: byte i of a word keeps bit i, and what is not zero becomes 16.
void add_fifth_bits(uint32_t bits, uint8_t* codes) {
    constexpr uint64_t kOnes = 0x0101010101010101, kDiagonal = 0x8040201008040201;
    for (int i = 0; i < 32; i += 8) {
        const uint64_t fifth = ((bits >> i & 0xff) * kOnes & kDiagonal) + 0x7f * kOnes;
        uint64_t eight;
        std::memcpy(&eight, codes + i, 8);
        eight |= fifth >> 3 & 16 * kOnes;
        std::memcpy(codes + i, &eight, 8);
    }
}

// Two bits of each of 128 codes lie in 32 bytes: codes 32j … 32j + 31 in bits 2j and 2j + 1.
void split_pairs(const uint8_t* p, uint8_t* codes) {
    for (int j = 0; j < 4; ++j) {
        for (int i = 0; i < 32; ++i) codes[32 * j + i] = p[i] >> 2 * j & 3;
    }
}

// Sixteen 6-bit scales in 12 bytes: four low bits in the first 8, two high bits in the last 4.
int q3_k_scale(const uint8_t* p, int g) {
    const int low = p[g % 8] >> (g / 8 * 4) & 15, high = p[8 + g % 4] >> (g / 4 * 2) & 3;
    return (high << 4 | low) - 32;
}

// Eight 6-bit scales and eight 6-bit minima in 12 bytes.
void split_k_scales(const uint8_t* p, uint8_t* scales, uint8_t* minima) {
    for (int g = 0; g < 4; ++g) {
        scales[g] = p[g] & 63;
        minima[g] = p[g + 4] & 63;
        scales[g + 4] = (p[g + 8] & 15) | (p[g] >> 6 << 4);
        minima[g + 4] = (p[g + 8] >> 4) | (p[g + 4] >> 6 << 4);
    }
}

void unpack_k_scales(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    out.minimum = negative(half_at(p + 2));
    split_k_scales(p + 4, out.scales, out.minima);
}

// 256 codes of 4 bits: 64 at a time, the first 32 in the low nibbles, the next in the high ones.
void split_k_nibbles(const uint8_t* p, uint8_t* codes) {
    for (int j = 0; j < 4; ++j, p += 32, codes += 64) {
        for (int i = 0; i < 32; ++i) {
            codes[i] = p[i] & 15;
            codes[i + 32] = p[i] >> 4;
        }
    }
}

}  // namespace

void unpack_q4_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    split_nibbles<16>(p + 2, out.codes);
}

void unpack_q4_1(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    out.minimum = half_at(p + 2);
    split_nibbles<16>(p + 4, out.codes);
}

void unpack_q5_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    split_nibbles<16>(p + 6, out.codes);
    add_fifth_bits(word_at(p + 2), out.codes);
}

void unpack_q5_1(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    out.minimum = half_at(p + 2);
    split_nibbles<16>(p + 8, out.codes);
    add_fifth_bits(word_at(p + 4), out.codes);
}

void unpack_q8_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 32; ++i) out.codes[i] = p[2 + i] ^ 0x80;  // signed to offset 128
}

void unpack_q2_k(const uint8_t* p, Unpacked& out) {
    std::memcpy(out.scales, p, 16);  // minima in the high nibbles
    out.scale = half_at(p + 80);
    out.minimum = negative(half_at(p + 82));
    split_pairs(p + 16, out.codes);
    split_pairs(p + 48, out.codes + 128);
}

void unpack_q3_k(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p + 108);
    for (int g = 0; g < 16; ++g) out.scales[g] = static_cast<uint8_t>(q3_k_scale(p + 96, g));
    split_pairs(p + 32, out.codes);
    split_pairs(p + 64, out.codes + 128);
    for (int j = 0; j < 8; ++j) {
        for (int i = 0; i < 32; ++i) out.codes[32 * j + i] |= (p[i] >> j & 1) << 2;
    }
}

void unpack_q4_k(const uint8_t* p, Unpacked& out) {
    unpack_k_scales(p, out);
    split_k_nibbles(p + 16, out.codes);
}

void unpack_q5_k(const uint8_t* p, Unpacked& out) {
    unpack_k_scales(p, out);
    split_k_nibbles(p + 48, out.codes);
    for (int j = 0; j < 8; ++j) {
        for (int i = 0; i < 32; ++i) out.codes[32 * j + i] |= (p[16 + i] >> j & 1) << 4;
    }
}

// Of each 128 codes the low four bits lie in 64 bytes, the high two in 32.
void unpack_q6_k(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p + 208);
    std::memcpy(out.scales, p + 192, 16);
    for (int half = 0; half < 2; ++half) {
        const uint8_t *low = p + half * 64, *high = p + 128 + half * 32;
        uint8_t* codes = out.codes + half * 128;
        for (int i = 0; i < 64; ++i) {
            codes[i] = low[i] & 15;
            codes[i + 64] = low[i] >> 4;
        }
        for (int j = 0; j < 4; ++j) {
            for (int i = 0; i < 32; ++i) codes[32 * j + i] |= (high[i] >> 2 * j & 3) << 4;
        }
    }
}

void unpack_iq4_nl(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    split_nibbles<16>(p + 2, out.codes);
}

// Eight 6-bit scales: four low bits in 4 bytes, two high bits in the 2 before.
void unpack_iq4_xs(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    const int high = half_at(p + 2);
    for (int g = 0; g < 8; ++g) {
        const int low = p[4 + g / 2] >> (g % 2 * 4) & 15;
        out.scales[g] = static_cast<uint8_t>((low | (high >> 2 * g & 3) << 4) - 32);
        split_nibbles<16>(p + 8 + 16 * g, out.codes + 32 * g);
    }
}

// A scale, a zero, then codes.
void unpack_z4_32(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    out.minimum = p[2];
    split_nibbles<16>(p + 3, out.codes);
}

void unpack_z4_128(const uint8_t* p, Unpacked& out) {
    unpack_z4_32(p, out);
    for (int i = 1; i < 4; ++i) split_nibbles<16>(p + 3 + 16 * i, out.codes + 32 * i);
}

void unpack_s4_128(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 4; ++i) split_nibbles<16>(p + 2 + 16 * i, out.codes + 32 * i);
}

void unpack_z8_32(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    out.minimum = p[2];
    std::memcpy(out.codes, p + 3, 32);
}

}  // namespace foretell
