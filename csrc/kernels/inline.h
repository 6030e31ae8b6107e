// FORETELL_INLINE: inlined whatever the compiler estimates. For what must stay in registers.
#pragma once

#include <type_traits>
#include <utility>

#if defined(_MSC_VER)
#define FORETELL_INLINE __forceinline
#else
#define FORETELL_INLINE inline __attribute__((always_inline))
#endif

namespace foretell {
namespace {

// f(0) … f(N - 1), written out: what f indexes with them can stay in registers. Its argument is
// also a constant for templates, if f takes it as `auto`.
template <int N, class F>
FORETELL_INLINE void unrolled(F f) {
    [&]<int... I>(std::integer_sequence<int, I...>) {
        (f(std::integral_constant<int, I>{}), ...);
    }(std::make_integer_sequence<int, N>{});
}

}  // namespace
}  // namespace foretell
