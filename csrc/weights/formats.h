// Packed formats: how the weights of sixteen rows lie side by side, with the bits that the file
// has.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weights/tables.h"

namespace foretell {

constexpr int kRows = 16;   // output rows of a block: one vector lane each
constexpr int kGroup = 32;  // inputs that share one activation scale

// Bits of a code. Codes of 4 + 1 bits lie in two planes, the low four and the fifth; so do the
// others that are sums. Float formats are stored as they are; e4m3 is a float of 4 bits of exponent
// and 3 of fraction.
enum class Codes : uint8_t { b4, b8, b1, b2, b4_1, b4_2, b2_1, float32, float16, bfloat16, e4m3 };

// What a group's scale is, and its minimum. A unit of groups shares one float16, or two.
enum class Scales : uint8_t {
    half,            // the unit's float16
    unsigned_bytes,  // a byte of its own times the unit's float16
    signed_bytes,    // the same, -128 to 127
    nibbles,         // the low four bits of a byte; the high ones are the minimum's
    e8m0,            // 2^(byte - 128), no float16
    ue4m3,           // half of 4 bits of exponent and 3 of fraction, no float16
    single,          // the unit's float32, of e4m3 codes
};

// A packed weight is `scale * (value - offset) + minimum`; its value is its code, or what the table
// has for the code, plus the offset.
//
// A block of rows is units, one after the other. A unit: float16 scales of the sixteen rows, their
// float16 minima, or bytes where these are zeros; a byte a group and row for scales, then for
// minima; then chunks of 32 inputs. Of each of these parts a unit has what its format says.
//
// A chunk is 64-byte lines, in which row r has bytes 4r … 4r + 3, one for each input of a quad.
// The quads 0 … 7 of a chunk are inputs 4t … 4t + 3; 4-bit codes have two quads a line, low bits
// first, 2-bit codes four, 1-bit codes eight. A plane of low bits comes before that of high bits.
struct Format {
    Codes codes;
    Scales scales = Scales::half;
    int unit = 1;              // inputs: 1 for floats without a scale, else a multiple of kGroup
    int group = 1;             // inputs that share a scale: 32 or 16; 1 for float formats
    bool has_minimum = false;  // else minima are 0
    bool has_zero = false;     // the minimum is -scale times a byte: `scale * (code - zero)`
    uint8_t offset = 0;        // 0 or a power of two
    Table table = Table::none;
    int exponent = 0;  // the unit's float16 scales count 2^exponent

    constexpr bool is_float() const { return codes >= Codes::float32; }
    constexpr int groups() const { return unit / group; }
    constexpr bool has_half() const { return scales <= Scales::nibbles; }
    constexpr bool has_scale_bytes() const { return scales != Scales::half; }
    constexpr bool has_minimum_bytes() const {
        return has_minimum && scales != Scales::half && scales != Scales::nibbles;
    }
    constexpr int bits() const {
        switch (codes) {
            case Codes::b1:
                return 1;
            case Codes::b2:
                return 2;
            case Codes::b2_1:
                return 3;
            case Codes::b4:
                return 4;
            case Codes::b4_1:
                return 5;
            case Codes::b4_2:
                return 6;
            case Codes::b8:
            case Codes::e4m3:
                return 8;
            case Codes::float32:
                return 32;
            default:
                return 16;
        }
    }
    // The largest value that an unsigned byte of a quad takes.
    constexpr int largest_value() const {
        if (table == Table::none) return (1 << bits()) - 1;
        int largest = 0;
        for (const int8_t value : table_values(table)) {
            largest = value + offset > largest ? value + offset : largest;
        }
        return largest;
    }

    // Where the parts of a unit begin, in bytes.
    constexpr size_t minimum_at() const { return has_half() ? 2 * kRows : 0; }
    constexpr size_t scale_bytes_at() const {
        return minimum_at() + (has_minimum ? (has_zero ? 1 : 2) * kRows : 0);
    }
    constexpr size_t minimum_bytes_at() const {
        return scale_bytes_at() + (has_scale_bytes() ? groups() * kRows : 0);
    }
    constexpr size_t chunks_at() const {
        if (scales == Scales::single) return 4 * kRows;
        return minimum_bytes_at() + (has_minimum_bytes() ? groups() * kRows : 0);
    }
    constexpr size_t chunk_bytes() const { return kRows * kGroup * bits() / 8; }
    constexpr size_t unit_bytes() const {
        if (is_float() && unit == 1) return kRows * bits() / 8;
        return chunks_at() + unit / kGroup * chunk_bytes();
    }

    friend constexpr bool operator==(const Format&, const Format&) = default;
};

namespace formats {

constexpr Format f32{Codes::float32};
constexpr Format f16{Codes::float16};
constexpr Format bf16{Codes::bfloat16};
constexpr Format q4_0{.codes = Codes::b4, .unit = 32, .group = 32, .offset = 8};
constexpr Format q4_1{.codes = Codes::b4, .unit = 32, .group = 32, .has_minimum = true};
constexpr Format q5_0{.codes = Codes::b4_1, .unit = 32, .group = 32, .offset = 16};
constexpr Format q5_1{.codes = Codes::b4_1, .unit = 32, .group = 32, .has_minimum = true};
constexpr Format q8_0{.codes = Codes::b8, .unit = 32, .group = 32, .offset = 128};
constexpr Format q2_k{
    .codes = Codes::b2, .scales = Scales::nibbles, .unit = 256, .group = 16, .has_minimum = true};
constexpr Format q3_k{
    .codes = Codes::b2_1, .scales = Scales::signed_bytes, .unit = 256, .group = 16, .offset = 4};
constexpr Format q4_k{.codes = Codes::b4,
                      .scales = Scales::unsigned_bytes,
                      .unit = 256,
                      .group = 32,
                      .has_minimum = true};
constexpr Format q5_k{.codes = Codes::b4_1,
                      .scales = Scales::unsigned_bytes,
                      .unit = 256,
                      .group = 32,
                      .has_minimum = true};
constexpr Format q6_k{
    .codes = Codes::b4_2, .scales = Scales::signed_bytes, .unit = 256, .group = 16, .offset = 32};
constexpr Format iq4_nl{
    .codes = Codes::b4, .unit = 32, .group = 32, .offset = 128, .table = Table::iq4_nl};
constexpr Format iq4_xs{.codes = Codes::b4,
                        .scales = Scales::signed_bytes,
                        .unit = 256,
                        .group = 32,
                        .offset = 128,
                        .table = Table::iq4_nl};
constexpr Format iq3_xxs{.codes = Codes::b4,
                         .scales = Scales::unsigned_bytes,
                         .unit = 256,
                         .group = 32,
                         .offset = 64,
                         .table = Table::iq3_xxs,
                         .exponent = -2};
constexpr Format iq3_s{.codes = Codes::b4,
                       .scales = Scales::unsigned_bytes,
                       .unit = 256,
                       .group = 32,
                       .offset = 16,
                       .table = Table::iq3_s};
constexpr Format iq2_xxs{.codes = Codes::b2_1,
                         .scales = Scales::unsigned_bytes,
                         .unit = 256,
                         .group = 32,
                         .offset = 64,
                         .table = Table::iq2,
                         .exponent = -3};
constexpr Format iq2_s{.codes = Codes::b2_1,
                       .scales = Scales::unsigned_bytes,
                       .unit = 256,
                       .group = 16,
                       .offset = 64,
                       .table = Table::iq2,
                       .exponent = -3};
constexpr Format iq1_m{.codes = Codes::b2_1,
                       .scales = Scales::unsigned_bytes,
                       .unit = 256,
                       .group = 16,
                       .offset = 16,
                       .table = Table::iq1_m,
                       .exponent = -3};
constexpr Format iq1_s{.codes = Codes::b2,
                       .scales = Scales::signed_bytes,
                       .unit = 256,
                       .group = 32,
                       .offset = 16,
                       .table = Table::iq1_s,
                       .exponent = -3};
constexpr Format tq2_0{.codes = Codes::b2, .unit = 256, .group = 32, .offset = 1};
constexpr Format q2_0{.codes = Codes::b2, .unit = 64, .group = 32, .offset = 1};
constexpr Format q1_0{
    .codes = Codes::b1, .unit = 128, .group = 32, .offset = 1, .table = Table::signs};
constexpr Format mxfp4{.codes = Codes::b4,
                       .scales = Scales::e8m0,
                       .unit = 32,
                       .group = 32,
                       .offset = 16,
                       .table = Table::fp4};
constexpr Format nvfp4{.codes = Codes::b4,
                       .scales = Scales::ue4m3,
                       .unit = 64,
                       .group = 16,
                       .offset = 16,
                       .table = Table::fp4};

// What checkpoints keep: groups of 128 or more inputs, or of 32 and 64, with or without a zero.
constexpr Format s4_128{.codes = Codes::b4, .unit = 128, .group = 32, .offset = 8};
constexpr Format z4_128{
    .codes = Codes::b4, .unit = 128, .group = 32, .has_minimum = true, .has_zero = true};
constexpr Format z4_32{
    .codes = Codes::b4, .unit = 32, .group = 32, .has_minimum = true, .has_zero = true};
constexpr Format z8_32{
    .codes = Codes::b8, .unit = 32, .group = 32, .has_minimum = true, .has_zero = true};
constexpr Format e4m3_128{.codes = Codes::e4m3, .scales = Scales::single, .unit = 128};

}  // namespace formats

// All of them: what the kernels are compiled for.
constexpr Format kFormats[] = {
    formats::f32,      formats::f16,    formats::bf16,    formats::q4_0,   formats::q4_1,
    formats::q5_0,     formats::q5_1,   formats::q8_0,    formats::q2_k,   formats::q3_k,
    formats::q4_k,     formats::q5_k,   formats::q6_k,    formats::iq4_nl, formats::iq4_xs,
    formats::iq3_xxs,  formats::iq3_s,  formats::iq2_xxs, formats::iq2_s,  formats::iq1_m,
    formats::iq1_s,    formats::tq2_0,  formats::q2_0,    formats::q1_0,   formats::mxfp4,
    formats::nvfp4,    formats::s4_128, formats::z4_128,  formats::z4_32,  formats::z8_32,
    formats::e4m3_128,
};

}  // namespace foretell
