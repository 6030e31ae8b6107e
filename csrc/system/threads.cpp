#include "system/threads.h"

#include <limits>
#include <stdexcept>
#include <string>
#include <system_error>

#include "system/gate.h"

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

// Waiting starts by spinning, since the others are mostly a few microseconds away; then it yields
// the processor between polls, so that the team gets on where other programs, or its own members,
// share the cores.
constexpr int kSpinningPolls = 300;
constexpr int kYieldingPolls = 2000;  // before a member without work goes to sleep

// Polls until `value` is no longer `old`, at most `polls` times; returns whether it changed.
bool await_change(const std::atomic<uint32_t>& value, uint32_t old, int64_t polls) {
    for (int64_t i = 0; i < polls; ++i) {
        if (value.load(std::memory_order_acquire) != old) return true;
        if (i < kSpinningPolls) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
    return false;
}

}  // namespace

Team::Team(int size) : size_(size), process_(process_id()) { start(); }

Team::~Team() {
    forget_threads_of_parent();
    stop();
}

void Team::start() {
    try {
        for (int member = 1; member < size_; ++member) {
            threads_.emplace_back([this, member] { serve(member); });
        }
    } catch (const std::system_error&) {
        const size_t started = threads_.size() + 1;
        stop();
        throw std::runtime_error("the system lets this process start only " +
                                 std::to_string(started) + " of " + std::to_string(size_) +
                                 " threads");
    }
}

void Team::stop() {
    stopping_ = true;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    stopping_ = false;
    round_ = 0;
}

void Team::forget_threads_of_parent() {
    if (process_ == process_id()) return;
    // They do not run here, and can be neither joined nor detached.
    new std::vector<std::thread>(std::move(threads_));
    threads_.clear();
    round_ = phase_ = 0;
    arrived_ = 0;
    process_ = process_id();
}

void Team::run(const std::function<void(int)>& work) {
    forget_threads_of_parent();
    if (threads_.empty()) start();
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
        if (!await_change(round_, seen, kSpinningPolls + kYieldingPolls)) {
            round_.wait(seen, std::memory_order_acquire);
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
        await_change(phase_, phase, std::numeric_limits<int64_t>::max());
    }
}

}  // namespace foretell
