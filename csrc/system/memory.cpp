#include "system/memory.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "system/threads.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace foretell {
namespace {

constexpr size_t kHugePage = 2 << 20;
constexpr size_t kArenaBuffer = 32 << 20;
constexpr size_t kAlignment = 64;

size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

#if defined(__unix__) || defined(__APPLE__)

Buffer::Buffer(size_t bytes) : size_(bytes) {
    if (bytes == 0) return;
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (bytes >= kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
#endif
    data_ = {static_cast<uint8_t*>(p), Release{bytes}};
}

void Buffer::Release::operator()(uint8_t* p) const { munmap(p, bytes); }

#else

// calloc takes large memory from the system as zero pages, untouched; the pointer that it gave lies
// before the aligned one.
Buffer::Buffer(size_t bytes) : size_(bytes) {
    if (bytes == 0) return;
    void* given = std::calloc(1, bytes + 64 + sizeof(void*));
    if (!given) throw std::bad_alloc();
    const uintptr_t first = reinterpret_cast<uintptr_t>(given) + sizeof(void*);
    uint8_t* p = reinterpret_cast<uint8_t*>((first + 63) / 64 * 64);
    std::memcpy(p - sizeof(void*), &given, sizeof(void*));
    data_ = {p, Release{bytes}};
}

void Buffer::Release::operator()(uint8_t* p) const {
    void* given;
    std::memcpy(&given, p - sizeof(void*), sizeof(void*));
    std::free(given);
}

#endif

void Arena::reserve(size_t bytes, size_t pieces) {
    try {
        buffers_.emplace_back(rounded_up(bytes + pieces * (kAlignment - 1), kHugePage));
        used_ = 0;
    } catch (const std::bad_alloc&) {
    }
}

uint8_t* Arena::take(size_t bytes) {
    bytes = rounded_up(bytes, kAlignment);
    if (buffers_.empty() || buffers_.back().size() - used_ < bytes) {
        buffers_.emplace_back(bytes > kArenaBuffer ? rounded_up(bytes, kHugePage) : kArenaBuffer);
        used_ = 0;
    }
    uint8_t* piece = buffers_.back().data() + used_;
    used_ += bytes;
    return piece;
}

void give_back_freed() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

double measure_bandwidth(int threads) {
    constexpr size_t kBytes = 256 << 20;
    constexpr int kRounds = 5;
    const Buffer memory(kBytes);
    const int64_t words = kBytes / sizeof(uint64_t);
    uint64_t* data = memory.as<uint64_t>();
    Team team(threads);
    std::vector<uint64_t> totals(threads * 8);  // a cache line each
    team.run([&](int member) {
        const Share share = share_of(words, member, threads);
        for (int64_t i = share.begin; i < share.end; ++i) data[i] = i;
    });
    double best = 0;
    for (int round = 0; round < kRounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        team.run([&](int member) {
            const Share share = share_of(words, member, threads);
            uint64_t sums[8] = {};
            for (int64_t i = share.begin; i + 8 <= share.end; i += 8) {
                for (int k = 0; k < 8; ++k) sums[k] ^= data[i + k];
            }
            for (const uint64_t sum : sums) totals[member * 8] ^= sum;
        });
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        const double rate = kBytes / seconds.count();
        best = rate > best ? rate : best;
    }
    // The sums must be used, or the reads may be left out; they are never all ones.
    for (const uint64_t total : totals) {
        if (total == ~uint64_t{0}) return 0;
    }
    return best;
}

}  // namespace foretell
