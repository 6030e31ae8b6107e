// Large aligned memory, in huge pages where the system has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace foretell {

// Zeroed memory, aligned to at least 64 bytes; pages are taken from the system when first written.
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(size_t bytes);

    uint8_t* data() const { return data_.get(); }
    size_t size() const { return size_; }
    template <class T>
    T* as() const {
        return reinterpret_cast<T*>(data_.get());
    }

  private:
    struct Release {
        size_t bytes;
        void operator()(uint8_t* p) const;
    };
    std::unique_ptr<uint8_t, Release> data_;
    size_t size_ = 0;
};

// Hands out pieces of large buffers, one after the other; all go with the arena.
class Arena {
  public:
    uint8_t* take(size_t bytes);
    // Lets the next `pieces` pieces, of this many bytes in all, lie in one buffer: its last page
    // alone is begun in vain. Where the system gives no such buffer, nothing changes.
    void reserve(size_t bytes, size_t pieces);

  private:
    std::vector<Buffer> buffers_;
    size_t used_ = 0;  // of the last buffer
};

// Gives memory that was freed, and that the C library keeps for later, back to the system: what a
// model's metadata took. Nothing where the C library has no way to.
void give_back_freed();

// Bytes per second that `threads` threads read together from memory far larger than the caches.
double measure_bandwidth(int threads);

}  // namespace foretell
