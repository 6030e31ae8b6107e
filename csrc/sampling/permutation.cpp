#include "sampling/permutation.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace foretell {

std::vector<int32_t> permutation(uint32_t seed, int32_t size, int32_t count) {
    std::mt19937 random(seed);
    std::vector<int32_t> order(size);
    std::iota(order.begin(), order.end(), 0);
    const int32_t steps = std::min(count, size - 1);
    for (int32_t i = 0; i < steps; ++i) {
        const uint32_t ahead = random() % static_cast<uint32_t>(size - i);
        std::swap(order[i], order[i + ahead]);
    }
    order.resize(count);
    return order;
}

}  // namespace foretell
