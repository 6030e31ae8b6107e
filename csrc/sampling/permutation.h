// torch.randperm with a seeded torch.Generator on the CPU: what transformers' watermark rests on.
//
// MT19937 (Matsumoto & Nishimura 1998), seeded with 32 bits; then the first steps of a shuffle from
// the front, which are final: r[i] is exchanged with r[i + random % (n - i)].
#pragma once

#include <cstdint>
#include <vector>

namespace foretell {

// The first `count` numbers of the permutation of 0 … size - 1.
std::vector<int32_t> permutation(uint32_t seed, int32_t size, int32_t count);

}  // namespace foretell
