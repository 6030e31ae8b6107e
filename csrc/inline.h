// FORETELL_INLINE: into the caller, whatever the compiler reckons. For what must stay in registers.
#pragma once

#if defined(_MSC_VER)
#define FORETELL_INLINE __forceinline
#else
#define FORETELL_INLINE inline __attribute__((always_inline))
#endif
