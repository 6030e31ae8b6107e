// A fixed team of threads that run the same code together, with a barrier between parts.
// program/ walks its operations with one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace foretell {

// A process that was forked has a copy of the parent's objects, but of its threads only the one
// that called fork: a team starts its threads anew there when it first runs.
class Team {
  public:
    // Throws std::runtime_error if the system does not let this process have so many threads.
    explicit Team(int size);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Runs `work(member)` on every member, 0 … size - 1; the caller is member 0. Returns when all
    // are done. `work` must not throw.
    void run(const std::function<void(int)>& work);

    // Inside `run`: waits until every member has come here, and makes what they wrote visible.
    void barrier();

  private:
    void start();
    void stop();
    void forget_threads_of_parent();
    void serve(int member);

    const int size_;
    int64_t process_;  // whose threads they are
    const std::function<void(int)>* work_ = nullptr;
    alignas(64) std::atomic<uint32_t> round_{0};  // grows by one for each `run`
    alignas(64) std::atomic<uint32_t> phase_{0};  // grows by one for each passed barrier
    alignas(64) std::atomic<int> arrived_{0};
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> threads_;
};

// The part of `count` items that falls to `member` of `size`: static, contiguous, even.
struct Share {
    int64_t begin, end;
};
inline Share share_of(int64_t count, int member, int size) {
    return {count * member / size, count * (member + 1) / size};
}

}  // namespace foretell
