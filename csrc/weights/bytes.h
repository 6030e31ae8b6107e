// Numbers and codes as they lie in the bytes of a file.
#pragma once

#include <cstdint>
#include <cstring>

namespace foretell {

inline uint16_t half_at(const uint8_t* p) {
    uint16_t bits;
    std::memcpy(&bits, p, 2);
    return bits;
}

inline uint32_t word_at(const uint8_t* p) {
    uint32_t word;
    std::memcpy(&word, p, 4);
    return word;
}

// Codes of 4 bits in `Bytes` bytes: the first half in the low nibbles, the second in the high ones.
template <int Bytes>
inline void split_nibbles(const uint8_t* p, uint8_t* codes) {
    for (int i = 0; i < Bytes; ++i) {
        codes[i] = p[i] & 15;
        codes[i + Bytes] = p[i] >> 4;
    }
}

}  // namespace foretell
