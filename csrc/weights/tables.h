// What the codes of some formats stand for.
#pragma once

#include <array>
#include <cstdint>

namespace foretell {

enum class Table : uint8_t { none, iq4_nl, fp4, iq3_xxs, iq3_s, iq2, iq1_m, iq1_s, signs };

// The values of a table's codes: codes of 1, 2 or 3 bits use the first 2, 4 or 8 entries.
using TableValues = std::array<int8_t, 16>;
constexpr TableValues table_values(Table table) {
    switch (table) {
        case Table::iq4_nl:
            return {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
        case Table::fp4:  // of E2M1, doubled: scales are halved for it
            return {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
        // A digit of a point of the grid; the highest bit is the weight's sign.
        case Table::iq3_xxs:
            return {4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62};
        case Table::iq3_s:
            return {1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15};
        case Table::iq2:
            return {8, 25, 43, 0, -8, -25, -43, 0};
        // Eight times a digit less 1, and 1 more, or 1 less where the highest bit says so.
        case Table::iq1_m:
            return {-7, 1, 9, 0, -9, -1, 7, 0};
        // The same, always 1 less.
        case Table::iq1_s:
            return {-9, -1, 7, 0};
        case Table::signs:
            return {-1, 1};
        case Table::none:
            break;
    }
    return {};
}

}  // namespace foretell
