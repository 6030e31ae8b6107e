// Types with codes of one or two bits, and one scale a block.
#include "weights/bytes.h"
#include "weights/unpack.h"

namespace foretell {
namespace {

// Base-3 digits of `count` bytes, each a fraction of 256: multiplied by 3, its next digit is what
// exceeds the byte. The first digits of all bytes come first, then the second digits, and so on.
void split_digits(const uint8_t* p, int count, int digits, uint8_t* codes) {
    for (int i = 0; i < count; ++i) {
        uint8_t fraction = p[i];
        for (int n = 0; n < digits; ++n) {
            const int tripled = fraction * 3;
            codes[n * count + i] = static_cast<uint8_t>(tripled >> 8);
            fraction = static_cast<uint8_t>(tripled);
        }
    }
}

}  // namespace

void unpack_q1_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 16; ++i) {
        for (int j = 0; j < 8; ++j) out.codes[8 * i + j] = p[2 + i] >> j & 1;
    }
}

void unpack_q2_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p);
    for (int i = 0; i < 16; ++i) {
        for (int j = 0; j < 4; ++j) out.codes[4 * i + j] = p[2 + i] >> 2 * j & 3;
    }
}

void unpack_tq1_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p + 52);
    split_digits(p, 32, 5, out.codes);
    split_digits(p + 32, 16, 5, out.codes + 160);
    split_digits(p + 48, 4, 4, out.codes + 240);
}

void unpack_tq2_0(const uint8_t* p, Unpacked& out) {
    out.scale = half_at(p + 64);
    for (int j = 0; j < 8; ++j) {
        const uint8_t* pairs = p + j / 4 * 32;
        const int shift = j % 4 * 2;
        for (int i = 0; i < 32; ++i) out.codes[32 * j + i] = pairs[i] >> shift & 3;
    }
}

}  // namespace foretell
