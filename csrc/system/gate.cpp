#include "system/gate.h"

#include <stdexcept>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace foretell {

int64_t process_id() {
#if defined(__unix__) || defined(__APPLE__)
    return getpid();
#else
    return 1;
#endif
}

Gate::Visit::Visit(Gate& gate) : gate_(gate) {
    const int64_t own = process_id();
    int64_t visitor = 0;
    while (!gate.visitor_.compare_exchange_weak(visitor, own, std::memory_order_acquire)) {
        if (visitor == own) throw std::runtime_error("called while another call is under way");
    }
}

}  // namespace foretell
