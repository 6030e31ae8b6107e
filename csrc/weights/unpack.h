// Blocks of each file type, taken apart. file_types.cpp lists them.
#pragma once

#include "weights/file_types.h"

namespace foretell {

void unpack_q4_0(const uint8_t* block, Unpacked& out);
void unpack_q4_1(const uint8_t* block, Unpacked& out);
void unpack_q5_0(const uint8_t* block, Unpacked& out);
void unpack_q5_1(const uint8_t* block, Unpacked& out);
void unpack_q8_0(const uint8_t* block, Unpacked& out);
void unpack_q2_k(const uint8_t* block, Unpacked& out);
void unpack_q3_k(const uint8_t* block, Unpacked& out);
void unpack_q4_k(const uint8_t* block, Unpacked& out);
void unpack_q5_k(const uint8_t* block, Unpacked& out);
void unpack_q6_k(const uint8_t* block, Unpacked& out);
void unpack_iq4_nl(const uint8_t* block, Unpacked& out);
void unpack_iq4_xs(const uint8_t* block, Unpacked& out);
void unpack_iq3_xxs(const uint8_t* block, Unpacked& out);
void unpack_iq3_s(const uint8_t* block, Unpacked& out);
void unpack_iq2_xxs(const uint8_t* block, Unpacked& out);
void unpack_iq2_xs(const uint8_t* block, Unpacked& out);
void unpack_iq2_s(const uint8_t* block, Unpacked& out);
void unpack_iq1_s(const uint8_t* block, Unpacked& out);
void unpack_iq1_m(const uint8_t* block, Unpacked& out);
void unpack_tq1_0(const uint8_t* block, Unpacked& out);
void unpack_tq2_0(const uint8_t* block, Unpacked& out);
void unpack_q1_0(const uint8_t* block, Unpacked& out);
void unpack_q2_0(const uint8_t* block, Unpacked& out);
void unpack_mxfp4(const uint8_t* block, Unpacked& out);
void unpack_nvfp4(const uint8_t* block, Unpacked& out);
void unpack_s4_128(const uint8_t* block, Unpacked& out);
void unpack_z4_128(const uint8_t* block, Unpacked& out);
void unpack_z4_32(const uint8_t* block, Unpacked& out);
void unpack_z8_32(const uint8_t* block, Unpacked& out);

}  // namespace foretell
