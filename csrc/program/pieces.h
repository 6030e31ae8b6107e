// How operations on rows are shared among the members of a team.
#pragma once

#include <algorithm>
#include <cstdint>

#include "system/threads.h"

namespace foretell {

// Calls `use(row, begin, end)` for the member's share of `rows` rows of `units` units each,
// a call for each row that the share touches.
template <class Use>
void each_piece(int64_t rows, int64_t units, int member, int size, Use use) {
    const Share share = share_of(rows * units, member, size);
    for (int64_t at = share.begin; at < share.end;) {
        const int64_t row = at / units, begin = at % units;
        const int64_t end = std::min(units, begin + share.end - at);
        use(row, begin, end);
        at += end - begin;
    }
}

}  // namespace foretell
