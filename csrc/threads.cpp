#include "threads.h"

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace foretell {
namespace {

inline void pause() {
#if defined(_MSC_VER) && defined(FORETELL_X86)
    _mm_pause();
#elif defined(FORETELL_X86)
    __builtin_ia32_pause();
#elif defined(FORETELL_ARM64) && !defined(_MSC_VER)
    __asm__ volatile("yield");
#endif
}

// Spins while `value` is still `old`: first hot, then giving the processor away, so that more
// threads than cores still get on.
void spin_until_changed(const std::atomic<uint32_t>& value, uint32_t old, int hot_spins) {
    for (int spins = 0; value.load(std::memory_order_acquire) == old; ++spins) {
        if (spins < hot_spins) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
}

constexpr int kBarrierSpins = 20000;
constexpr int kIdleSpins = 20000;  // between two steps: some hundred microseconds, then sleep

}  // namespace

Team::Team(int size) : size_(size) {
    for (int member = 1; member < size; ++member) {
        threads_.emplace_back([this, member] { serve(member); });
    }
}

Team::~Team() {
    stopping_ = true;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Team::run(const std::function<void(int)>& work) {
    work_ = &work;
    if (size_ > 1) {
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
    }
    work(0);
    barrier();
}

void Team::serve(int member) {
    for (uint32_t seen = 0;;) {
        for (int spins = 0; round_.load(std::memory_order_acquire) == seen; ++spins) {
            if (spins < kIdleSpins) {
                pause();
            } else {
                round_.wait(seen, std::memory_order_acquire);
            }
        }
        ++seen;
        if (stopping_) return;
        (*work_)(member);
        barrier();
    }
}

void Team::barrier() {
    if (size_ == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == size_ - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        phase_.store(phase + 1, std::memory_order_release);
    } else {
        spin_until_changed(phase_, phase, kBarrierSpins);
    }
}

}  // namespace foretell
