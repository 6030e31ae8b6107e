// Lets one caller in at a time. program/ and sampling's bindings keep theirs with what changes
// while they work without Python's lock.
#pragma once

#include <atomic>
#include <cstdint>

namespace foretell {

// Differs in a forked process; where there is no fork it is always the same.
int64_t process_id();

// Who was inside when a process was forked is not in the child.
class Gate {
  public:
    // Somebody who is inside as long as it lives. Throws std::runtime_error if another is.
    class Visit {
      public:
        explicit Visit(Gate& gate);
        ~Visit() { gate_.visitor_.store(0, std::memory_order_release); }
        Visit(const Visit&) = delete;
        Visit& operator=(const Visit&) = delete;

      private:
        Gate& gate_;
    };

  private:
    std::atomic<int64_t> visitor_{0};  // the process that somebody is in, or 0
};

}  // namespace foretell
