// Types of 4-bit floats.
#include "weights/bytes.h"
#include "weights/unpack.h"

namespace foretell {

void unpack_mxfp4(const uint8_t* p, Unpacked& out) {
    out.scales[0] = p[0];
    split_nibbles<16>(p + 1, out.codes);
}

// UE4M3's NaN, 0x7f, is ggml's second zero; the bit where a sign would be means nothing.
void unpack_nvfp4(const uint8_t* p, Unpacked& out) {
    for (int g = 0; g < 4; ++g) {
        out.scales[g] = p[g] == 0x7f ? 0 : p[g] & 0x7f;
        split_nibbles<8>(p + 4 + 8 * g, out.codes + 16 * g);
    }
}

}  // namespace foretell
