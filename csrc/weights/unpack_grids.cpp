// Types whose weights are points of a grid, with signs. Their scales are 2s + 1 of the file's s.
#include <bit>

#include "weights/bytes.h"
#include "weights/grids.h"
#include "weights/unpack.h"

namespace foretell {
namespace {

uint8_t odd_scale(int s) { return static_cast<uint8_t>(2 * s + 1); }

int nibble_at(const uint8_t* p, int i) { return p[i / 2] >> (i % 2 * 4) & 15; }

// Signs of eight weights from seven bits: an even number of them is negative.
int eight_signs(uint32_t seven) {
    seven &= 127;
    return static_cast<int>(seven | (std::popcount(seven) & 1) << 7);
}

// `count` codes: digits, with the lowest of `signs` as bit `kSignBit`.
template <int kSignBit>
void put_codes(const uint8_t* digits, int count, int signs, uint8_t* codes) {
    for (int i = 0; i < count; ++i) {
        codes[i] = static_cast<uint8_t>(digits[i] | (signs >> i & 1) << kSignBit);
    }
}

// Eight codes of two points of four digits.
void put_codes_of_fours(const uint8_t* first, const uint8_t* second, int signs, uint8_t* codes) {
    put_codes<3>(first, 4, signs, codes);
    put_codes<3>(second, 4, signs >> 4, codes + 4);
}

}  // namespace

// A byte an index, then 28 bits of signs and four of the scale: 8 bytes a group of 32.
void unpack_iq2_xxs(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int g = 0; g < 8; ++g) {
        const uint8_t* indices = p + 2 + 8 * g;
        const uint32_t word = word_at(indices + 4);
        out.scales[g] = odd_scale(word >> 28);
        for (int i = 0; i < 4; ++i) {
            put_codes<2>(kIq2XxsGrid[indices[i]], 8, eight_signs(word >> (7 * i)),
                         out.codes + 32 * g + 8 * i);
        }
    }
}

// Nine bits of index and seven of signs; then scales of groups of 16.
void unpack_iq2_xs(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 32; ++i) {
        const int bits = half_at(p + 2 + 2 * i);
        put_codes<2>(kIq2XsGrid[bits & 511], 8, eight_signs(bits >> 9), out.codes + 8 * i);
    }
    for (int g = 0; g < 16; ++g) out.scales[g] = odd_scale(nibble_at(p + 66, g));
}

// Low bytes of the indices, signs, two high bits of each index, scales of groups of 16.
void unpack_iq2_s(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 32; ++i) {
        const int high = p[66 + i / 4] >> (i % 4 * 2) & 3;
        put_codes<2>(kIq2SGrid[p[2 + i] | high << 8], 8, p[34 + i], out.codes + 8 * i);
    }
    for (int g = 0; g < 16; ++g) out.scales[g] = odd_scale(nibble_at(p + 74, g));
}

// A byte an index; then, a group of 32, 28 bits of signs and four of the scale.
void unpack_iq3_xxs(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int g = 0; g < 8; ++g) {
        const uint8_t* indices = p + 2 + 8 * g;
        const uint32_t word = word_at(p + 66 + 4 * g);
        out.scales[g] = odd_scale(word >> 28);
        for (int i = 0; i < 4; ++i) {
            put_codes_of_fours(kIq3XxsGrid[indices[2 * i]], kIq3XxsGrid[indices[2 * i + 1]],
                               eight_signs(word >> (7 * i)), out.codes + 32 * g + 8 * i);
        }
    }
}

// Low bytes of the indices, the high bit of each, signs, scales.
void unpack_iq3_s(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 32; ++i) {
        const int high = p[66 + i / 4] >> (i % 4 * 2);
        const uint8_t* first = kIq3SGrid[p[2 + 2 * i] | (high & 1) << 8];
        const uint8_t* second = kIq3SGrid[p[3 + 2 * i] | (high & 2) << 7];
        put_codes_of_fours(first, second, p[74 + i], out.codes + 8 * i);
    }
    for (int g = 0; g < 8; ++g) out.scales[g] = odd_scale(nibble_at(p + 106, g));
}

// Low bytes of the indices; then, a group of 32, three high bits of each index, three of the scale,
// and whether the weights are an eighth less than the grid's, or more: 8d + 1 of a digit less 1 is
// -(8d' - 1) of its opposite, so that the scale's sign tells them apart.
void unpack_iq1_s(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int g = 0; g < 8; ++g) {
        const int bits = half_at(p + 34 + 2 * g);
        const bool less = bits & 0x8000;
        const int scale = odd_scale(bits >> 12 & 7);
        out.scales[g] = static_cast<uint8_t>(less ? scale : -scale);
        for (int i = 0; i < 32; ++i) {
            const int high = bits >> (i / 8 * 3) & 7;
            const uint8_t digit = kIq1Grid[p[2 + 4 * g + i / 8] | high << 8][i % 8];
            out.codes[32 * g + i] = static_cast<uint8_t>(less ? digit : 2 - digit);
        }
    }
}

// Low bytes of the indices; three high bits of each, and whether it is an eighth less; then, in
// each of four words, four scales of three bits, of groups of 16, and four bits of the float16.
void unpack_iq1_m(const uint8_t* p, Unpacked& out) {
    out.scale = 0;
    for (int i = 0; i < 4; ++i) {
        const int word = half_at(p + 48 + 2 * i);
        out.scale = static_cast<uint16_t>(out.scale | (word >> 12) << (4 * i));
        for (int j = 0; j < 4; ++j) out.scales[4 * i + j] = odd_scale(word >> (3 * j) & 7);
    }
    for (int i = 0; i < 32; ++i) {
        const int bits = nibble_at(p + 32, i);
        put_codes<2>(kIq1Grid[p[i] | (bits & 7) << 8], 8, bits & 8 ? 255 : 0, out.codes + 8 * i);
    }
}

}  // namespace foretell
