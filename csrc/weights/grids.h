// The grids of the IQ types: points that an index stands for, among the many that there could be.
#pragma once

#include <cstdint>

namespace foretell {

// A point's digits; the format's table of values tells what they stand for.
template <int kPoints, int kDigits>
struct Grid {
    uint8_t points[kPoints][kDigits];

    constexpr const uint8_t* operator[](int index) const { return points[index]; }
};

extern const Grid<256, 8> kIq2XxsGrid;  // digits 0 … 2
extern const Grid<512, 8> kIq2XsGrid;
extern const Grid<1024, 8> kIq2SGrid;
extern const Grid<2048, 8> kIq1Grid;
extern const Grid<256, 4> kIq3XxsGrid;  // digits 0 … 7
extern const Grid<512, 4> kIq3SGrid;

}  // namespace foretell
