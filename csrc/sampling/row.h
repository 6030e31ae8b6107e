// One row on its way through the chain. It stays dense until a truncation leaves few enough tokens
// to list; from then on only the list is worked on.
#pragma once

#include <cstdint>
#include <vector>

#include "sampling/dense.h"

namespace foretell {

// A temperature: a monotone map of logits. Where the largest quotient would overflow, the maximum
// is subtracted first (see decoding/processors/temperature.py).
struct Scaling {
    Scaling(double temperature, float largest);
    float operator()(float x) const;

    double divisor, shift;
    bool plain;  // one float32 division
};

// A token drawn: the integer weights of those before it, by ascending ids, its own, and all.
struct Drawn {
    int64_t id, before, weight, total;
};

// Sums over what is left of a row; see Moments in dense.h.
struct RowSums {
    int64_t num_possible;
    Moments sums;
    double largest;
};

class RowSampler {
  public:
    // Throws BrokenRow if the row has NaN or +inf (or had, if `infinite`), or is all -inf.
    RowSampler(const DenseLoops& loops, float* row, int64_t size, bool infinite);

    // Reads the row again after it was written to; only while all of it is left.
    void begin(bool infinite);

    void temperature(double value);
    // `cut` keeps k ≥ 1 even among equals, lower ids first; else all equals of the k-th stay.
    void top_k(int64_t k, bool cut);
    void top_p(double p, int64_t at_least);
    void min_p(double log_p, int64_t at_least);

    int64_t largest_token() const;  // of the dense row
    Drawn draw(double uniform);
    std::vector<int64_t> kept();
    void write();  // what is left into the row, -inf for the rest

    // For a trace; each first applies the pending temperatures.
    RowSums sum_up();
    std::vector<int32_t> largest_ids(int64_t k);  // of the possible tokens, by key
    const std::vector<float>& maxima();           // of the dense row's groups
    float largest() const { return largest_; }
    bool listed() const { return listed_; }
    uint64_t last_key() const;  // of the list (see keys.h); all ones if there is none

  private:
    struct Weighted {
        uint64_t key;  // see keys.h
        int64_t weight;
    };

    float scaled(float x) const;
    float lowest_reaching(float bound, float enough) const;
    float kth_largest(int64_t k);
    void flush();
    int64_t dense_mass();
    void list_from(float bound);
    void list_within(int64_t need, int64_t at_least);
    int64_t weigh_list();
    uint64_t key(int64_t index) const;
    uint64_t kth_key(int64_t k);
    uint64_t key_reaching(int64_t need);
    void fill_bins();
    static uint64_t key_among(std::vector<Weighted>& all, int64_t before, int64_t need);
    void keep_keys(uint64_t last);
    void keep_from(float bound);
    template <class F>
    void keep_if(F keeps);
    Drawn draw_dense(double uniform);

    const DenseLoops& loops_;
    float* row_;
    int64_t size_;
    float largest_;                 // of the logits as scaled so far
    std::vector<Scaling> pending_;  // temperatures not yet applied to the dense row
    bool weighed_ = false;          // the masses are those of the dense row
    bool listed_ = false;
    int64_t count_ = 0;  // of the list
    // Scratch of the calling thread, kept from row to row.
    struct Scratch {
        std::vector<float> maxima, sorted;  // per group
        std::vector<int64_t> masses;        // per group
        std::vector<float> logits;          // of the list
        std::vector<int32_t> ids;           // of the list, ascending
        std::vector<int64_t> weights;
        std::vector<uint64_t> keys;
        std::vector<int32_t> bins;
        std::vector<Weighted> weighted;
    };
    static Scratch& scratch_of_thread();
    Scratch& s_;
};

}  // namespace foretell
