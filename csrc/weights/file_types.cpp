#include "weights/file_types.h"

#include <algorithm>
#include <iterator>

#include "weights/unpack.h"

namespace foretell {
namespace {

constexpr FileType kFileTypes[] = {
    {0, "F32", 1, 4, formats::f32, nullptr},
    {1, "F16", 1, 2, formats::f16, nullptr},
    {30, "BF16", 1, 2, formats::bf16, nullptr},
    {2, "Q4_0", 32, 18, formats::q4_0, unpack_q4_0},
    {3, "Q4_1", 32, 20, formats::q4_1, unpack_q4_1},
    {6, "Q5_0", 32, 22, formats::q5_0, unpack_q5_0},
    {7, "Q5_1", 32, 24, formats::q5_1, unpack_q5_1},
    {8, "Q8_0", 32, 34, formats::q8_0, unpack_q8_0},
    {10, "Q2_K", 256, 84, formats::q2_k, unpack_q2_k},
    {11, "Q3_K", 256, 110, formats::q3_k, unpack_q3_k},
    {12, "Q4_K", 256, 144, formats::q4_k, unpack_q4_k},
    {13, "Q5_K", 256, 176, formats::q5_k, unpack_q5_k},
    {14, "Q6_K", 256, 210, formats::q6_k, unpack_q6_k},
    {20, "IQ4_NL", 32, 18, formats::iq4_nl, unpack_iq4_nl},
    {23, "IQ4_XS", 256, 136, formats::iq4_xs, unpack_iq4_xs},
    {16, "IQ2_XXS", 256, 66, formats::iq2_xxs, unpack_iq2_xxs},
    {17, "IQ2_XS", 256, 74, formats::iq2_s, unpack_iq2_xs},
    {22, "IQ2_S", 256, 82, formats::iq2_s, unpack_iq2_s},
    {18, "IQ3_XXS", 256, 98, formats::iq3_xxs, unpack_iq3_xxs},
    {21, "IQ3_S", 256, 110, formats::iq3_s, unpack_iq3_s},
    {19, "IQ1_S", 256, 50, formats::iq1_s, unpack_iq1_s},
    {29, "IQ1_M", 256, 56, formats::iq1_m, unpack_iq1_m},
    {34, "TQ1_0", 256, 54, formats::tq2_0, unpack_tq1_0},
    {35, "TQ2_0", 256, 66, formats::tq2_0, unpack_tq2_0},
    {39, "MXFP4", 32, 17, formats::mxfp4, unpack_mxfp4},
    {40, "NVFP4", 64, 36, formats::nvfp4, unpack_nvfp4},
    {41, "Q1_0", 128, 18, formats::q1_0, unpack_q1_0},
    {42, "Q2_0", 64, 18, formats::q2_0, unpack_q2_0},
    {kOwnTypes, "S4_128", 128, 66, formats::s4_128, unpack_s4_128},
    {kOwnTypes + 1, "Z4_128", 128, 67, formats::z4_128, unpack_z4_128},
    {kOwnTypes + 2, "Z4_32", 32, 19, formats::z4_32, unpack_z4_32},
    {kOwnTypes + 3, "Z8_32", 32, 35, formats::z8_32, unpack_z8_32},
    {kOwnTypes + 4, "E4M3_128", 128, 132, formats::e4m3_128, nullptr},
};

// Whether a block becomes a unit of the packed format, with room in between for all that it has.
constexpr bool fits(const FileType& type) {
    const Format& format = type.format;
    if (format.is_float()) return type.block_size == format.unit;
    return type.block_size == format.unit && format.unit % kGroup == 0 &&
           format.unit <= static_cast<int>(sizeof(Unpacked::codes)) &&
           format.groups() <= static_cast<int>(sizeof(Unpacked::scales));
}
static_assert(std::all_of(std::begin(kFileTypes), std::end(kFileTypes), fits));

}  // namespace

const FileType* find_file_type(int ggml_id) {
    for (const FileType& type : kFileTypes) {
        if (type.ggml_id == ggml_id) return &type;
    }
    return nullptr;
}

}  // namespace foretell
