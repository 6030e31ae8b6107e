#include "weights/file_types.h"

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
};

}  // namespace

const FileType* find_file_type(int ggml_id) {
    for (const FileType& type : kFileTypes) {
        if (type.ggml_id == ggml_id) return &type;
    }
    return nullptr;
}

}  // namespace foretell
