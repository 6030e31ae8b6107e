#include "sampling/row.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "sampling/chain.h"
#include "sampling/keys.h"

namespace foretell {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kTiny = std::numeric_limits<float>::min();
constexpr double kFinite = 3.0e38;   // as in foretell.config
constexpr double kFirstReach = 2;    // how far below the maximum the nucleus is first looked for
constexpr double kLastReach = 32;    // farther below, all weights are 0
constexpr int64_t kFewEnough = 256;  // to look for a key among them at once
constexpr int64_t kBins = 1024;

int64_t sum(const int64_t* weights, int64_t count) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; ++i) total += weights[i];
    return total;
}

// The mass after which the nucleus of probability p is complete.
int64_t nucleus_mass(double p, int64_t total) {
    return std::min(static_cast<int64_t>(std::ceil(p * static_cast<double>(total))), total);
}

// The mass that the sum must exceed at the token drawn.
int64_t drawn_mass(double uniform, int64_t total) {
    return std::min(static_cast<int64_t>(std::floor(uniform * static_cast<double>(total))),
                    total - 1);
}

int64_t first_above(const int64_t* weights, int64_t count, int64_t target, int64_t* before) {
    int64_t reached = 0;
    for (int64_t i = 0; i < count; ++i) {
        if (reached + weights[i] > target) {
            *before = reached;
            return i;
        }
        reached += weights[i];
    }
    return count;  // not reached: the target is below the total
}

}  // namespace

Scaling::Scaling(double temperature, float largest)
    : divisor(temperature),
      shift(largest),
      plain(temperature >= kTiny && std::fabs(shift) / temperature < kFinite) {}

float Scaling::operator()(float x) const {
    if (plain) return x / static_cast<float>(divisor);
    return static_cast<float>((static_cast<double>(x) - shift) / divisor);
}

RowSampler::Scratch& RowSampler::scratch_of_thread() {
    thread_local Scratch scratch;
    return scratch;
}

RowSampler::RowSampler(const DenseLoops& loops, float* row, int64_t size, bool infinite)
    : loops_(loops), row_(row), size_(size), s_(scratch_of_thread()) {
    s_.maxima.resize(num_groups(size));
    s_.masses.resize(num_groups(size));
    s_.logits.resize(size + kGroupSize);
    s_.ids.resize(size + kGroupSize);
    begin(infinite);
}

void RowSampler::begin(bool infinite) {
    weighed_ = false;
    const bool broken = loops_.group_maxima(row_, size_, s_.maxima.data());
    largest_ = *std::max_element(s_.maxima.begin(), s_.maxima.end());
    const char* end = ": its maximum must be finite";
    const std::string start = "the model's row of logits has ";
    if (broken) throw BrokenRow(start + "NaN" + end);
    if (infinite || largest_ == kInfinity) throw BrokenRow(start + "a maximum of inf" + end);
    if (largest_ == -kInfinity) throw BrokenRow(start + "a maximum of -inf" + end);
}

void RowSampler::temperature(double value) {
    const Scaling scaling(value, largest_);
    largest_ = scaling(largest_);
    if (!listed_) {
        pending_.push_back(scaling);
        return;
    }
    for (int64_t i = 0; i < count_; ++i) s_.logits[i] = scaling(s_.logits[i]);
    keep_from(-kMax);
}

// The k largest of a row lie in what is not below the k-th largest of its groups' maxima.
void RowSampler::top_k(int64_t k, bool cut) {
    if (k >= (listed_ ? count_ : size_)) return;
    if (!listed_) {
        const float kth = kth_largest(k), bound = scaled(kth);
        if (bound == -kInfinity) return;
        list_from(lowest_reaching(bound, kth));
    }
    if (k >= count_) return;
    const uint64_t last = kth_key(k);
    if (cut) return keep_keys(last);
    keep_from(unfalling(static_cast<uint32_t>(last >> 32)));
}

void RowSampler::top_p(double p, int64_t at_least) {
    if (p >= 1) return;
    int64_t total;
    if (listed_) {
        total = weigh_list();
    } else {
        total = dense_mass();
        list_within(nucleus_mass(p, total), at_least);
    }
    if (at_least >= count_) return;
    uint64_t last = key_reaching(nucleus_mass(p, total));
    if (at_least > 1) last = std::max(last, kth_key(at_least));
    keep_keys(last);
}

void RowSampler::min_p(double log_p, int64_t at_least) {
    const float bound = round_up(static_cast<double>(largest_) + log_p);
    if (bound == -kInfinity || at_least >= (listed_ ? count_ : size_)) return;
    if (!listed_) {
        const float kth = at_least > 1 ? kth_largest(at_least) : kMax;
        const float lowest = at_least > 1 ? std::min(bound, scaled(kth)) : bound;
        const float top = *std::max_element(s_.maxima.begin(), s_.maxima.end());
        list_from(lowest_reaching(std::max(lowest, -kMax), top));
    }
    if (at_least >= count_) return;
    if (at_least == 1) return keep_from(bound);
    const uint64_t enough = kth_key(at_least);
    keep_keys(std::max(enough, static_cast<uint64_t>(falling(bound)) << 32 | 0xffffffff));
}

int64_t RowSampler::largest_token() const {
    const auto group = std::max_element(s_.maxima.begin(), s_.maxima.end()) - s_.maxima.begin();
    const float* start = row_ + group * kGroupSize;
    const float* end = row_ + size_;
    return std::find(start, end, s_.maxima[group]) - row_;
}

Drawn RowSampler::draw(double uniform) {
    if (!listed_) return draw_dense(uniform);
    const int64_t total = weigh_list();
    int64_t before;
    const int64_t index =
        first_above(s_.weights.data(), count_, drawn_mass(uniform, total), &before);
    return {s_.ids[index], before, s_.weights[index], total};
}

Drawn RowSampler::draw_dense(double uniform) {
    const int64_t total = dense_mass(), target = drawn_mass(uniform, total);
    int64_t before, within;
    const int64_t groups = num_groups(size_);
    const int64_t start = first_above(s_.masses.data(), groups, target, &before) * kGroupSize;
    int64_t weights[kGroupSize];
    const int64_t count = std::min(kGroupSize, size_ - start);
    loops_.weigh(row_ + start, count, largest_, weights);
    const int64_t index = first_above(weights, count, target - before, &within);
    return {start + index, before + within, weights[index], total};
}

std::vector<int64_t> RowSampler::kept() {
    if (listed_) return {s_.ids.begin(), s_.ids.begin() + count_};
    flush();
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < size_; ++i) {
        if (row_[i] > -kInfinity) ids.push_back(i);
    }
    return ids;
}

void RowSampler::write() {
    if (!listed_) return flush();
    std::fill(row_, row_ + size_, -kInfinity);
    for (int64_t i = 0; i < count_; ++i) row_[s_.ids[i]] = s_.logits[i];
}

RowSums RowSampler::sum_up() {
    if (listed_) {
        const float* logits = s_.logits.data();
        return {count_, loops_.moments(logits, count_, nullptr, largest_, nullptr), largest_};
    }
    flush();
    const float* maxima = s_.maxima.data();
    const Moments sums = loops_.moments(row_, size_, maxima, largest_, s_.masses.data());
    weighed_ = true;
    return {loops_.count_possible(row_, size_, maxima), sums, largest_};
}

std::vector<int32_t> RowSampler::largest_ids(int64_t k) {
    int64_t found = count_;
    if (!listed_) {
        flush();
        const float bound = k < size_ ? kth_largest(k) : -kMax;
        found = loops_.gather(row_, size_, s_.maxima.data(), std::max(bound, -kMax),
                              s_.logits.data(), s_.ids.data());
    }
    s_.keys.resize(found);
    for (int64_t i = 0; i < found; ++i) s_.keys[i] = key(i);
    const int64_t count = std::min(k, found);
    std::partial_sort(s_.keys.begin(), s_.keys.begin() + count, s_.keys.end());
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(s_.keys[i]));
    return ids;
}

const std::vector<float>& RowSampler::maxima() {
    flush();
    return s_.maxima;
}

uint64_t RowSampler::last_key() const {
    uint64_t last = listed_ ? 0 : ~uint64_t{0};
    for (int64_t i = 0; listed_ && i < count_; ++i) last = std::max(last, key(i));
    return last;
}

float RowSampler::scaled(float x) const {
    for (const Scaling& scaling : pending_) x = scaling(x);
    return x;
}

// The smallest logit of the dense row's kind that the pending temperatures bring to the bound, as
// they bring `enough`: division makes neighbours equal, so that it may lie below.
float RowSampler::lowest_reaching(float bound, float enough) const {
    if (pending_.empty()) return bound;
    int64_t low = rank_of(-kMax), high = rank_of(enough);
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (scaled(float_of(static_cast<int32_t>(middle))) >= bound) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return float_of(static_cast<int32_t>(high));
}

// Of the dense row, before the pending temperatures.
float RowSampler::kth_largest(int64_t k) {
    const auto kth = [&](auto first, auto last) {
        s_.sorted.assign(first, last);
        std::nth_element(s_.sorted.begin(), s_.sorted.begin() + (k - 1), s_.sorted.end(),
                         std::greater<float>());
        return s_.sorted[k - 1];
    };
    if (k > static_cast<int64_t>(s_.maxima.size())) return kth(row_, row_ + size_);
    const float bound = kth(s_.maxima.begin(), s_.maxima.end());
    const int64_t found =
        loops_.gather(row_, size_, s_.maxima.data(), bound, s_.logits.data(), s_.ids.data());
    return kth(s_.logits.begin(), s_.logits.begin() + found);
}

void RowSampler::flush() {
    for (const Scaling& scaling : pending_) {
        if (scaling.plain) {
            loops_.divide(row_, size_, static_cast<float>(scaling.divisor));
        } else {
            for (int64_t i = 0; i < size_; ++i) row_[i] = scaling(row_[i]);
        }
        for (float& maximum : s_.maxima) maximum = scaling(maximum);
        weighed_ = false;
    }
    pending_.clear();
}

int64_t RowSampler::dense_mass() {
    flush();
    if (!weighed_) {
        loops_.group_masses(row_, size_, s_.maxima.data(), largest_, s_.masses.data());
    }
    return sum(s_.masses.data(), num_groups(size_));
}

void RowSampler::list_from(float bound) {
    count_ = loops_.gather(row_, size_, s_.maxima.data(), bound, s_.logits.data(), s_.ids.data());
    for (int64_t i = 0; i < count_; ++i) s_.logits[i] = scaled(s_.logits[i]);
    pending_.clear();
    listed_ = true;
}

// Lists the tokens of at least this mass and number from the largest logit down. All that is not
// listed is smaller, so the nucleus is a part of the list.
void RowSampler::list_within(int64_t need, int64_t at_least) {
    bool is_enough = false;
    for (double reach = kFirstReach; !is_enough; reach *= 1.25) {
        const bool all = reach > kLastReach;
        list_from(all ? -kMax : static_cast<float>(largest_ - reach));
        is_enough = (weigh_list() >= need && count_ >= at_least) || all;
    }
}

int64_t RowSampler::weigh_list() {
    s_.weights.resize(count_);
    loops_.weigh(s_.logits.data(), count_, largest_, s_.weights.data());
    return sum(s_.weights.data(), count_);
}

uint64_t RowSampler::key(int64_t index) const { return key_of(s_.logits[index], s_.ids[index]); }

uint64_t RowSampler::kth_key(int64_t k) {
    s_.keys.resize(count_);
    for (int64_t i = 0; i < count_; ++i) s_.keys[i] = key(i);
    std::nth_element(s_.keys.begin(), s_.keys.begin() + (k - 1), s_.keys.end());
    return s_.keys[k - 1];
}

// The key up to which the weights add up to `need`. Logits are counted into bins by size; only the
// bin in which the weight is reached is looked into.
uint64_t RowSampler::key_reaching(int64_t need) {
    int64_t bin = 0, before = 0;
    if (count_ > kFewEnough) {
        fill_bins();
        std::vector<int64_t> masses(kBins, 0);
        for (int64_t i = 0; i < count_; ++i) masses[s_.bins[i]] += s_.weights[i];
        while (bin + 1 < kBins && before + masses[bin] < need) before += masses[bin++];
    } else {
        s_.bins.assign(count_, 0);
    }
    s_.weighted.clear();
    for (int64_t i = 0; i < count_; ++i) {
        if (s_.bins[i] == bin) s_.weighted.push_back({key(i), s_.weights[i]});
    }
    return key_among(s_.weighted, before, need);
}

// For each of the list, a bin: 0 for the largest logits, and so on down to kBins - 1.
void RowSampler::fill_bins() {
    const auto end = s_.logits.begin() + count_;
    const float lowest = *std::min_element(s_.logits.begin(), end);
    const float width = std::max(largest_ - lowest, kTiny) / static_cast<float>(kBins);
    s_.bins.resize(count_);
    for (int64_t i = 0; i < count_; ++i) {
        const float bin = (largest_ - s_.logits[i]) / width;
        s_.bins[i] = bin < kBins - 1 ? static_cast<int32_t>(bin) : static_cast<int32_t>(kBins - 1);
    }
}

// The key at which `before` and the weights up to it reach `need`, found by halving: no sort.
uint64_t RowSampler::key_among(std::vector<Weighted>& all, int64_t before, int64_t need) {
    auto low = all.begin(), high = all.end();
    while (high - low > 1) {
        const auto middle = low + (high - low) / 2;
        std::nth_element(low, middle, high,
                         [](const Weighted& a, const Weighted& b) { return a.key < b.key; });
        int64_t reached = before;
        for (auto each = low; each < middle; ++each) reached += each->weight;
        if (reached >= need) {
            high = middle;
        } else {
            low = middle;
            before = reached;
        }
    }
    return low->key;
}

template <class F>
void RowSampler::keep_if(F keeps) {
    int64_t kept = 0;
    for (int64_t i = 0; i < count_; ++i) {
        const bool keep = keeps(i);
        s_.logits[kept] = s_.logits[i];
        s_.ids[kept] = s_.ids[i];
        kept += keep;
    }
    count_ = kept;
}

void RowSampler::keep_keys(uint64_t last) {
    keep_if([&](int64_t i) { return key(i) <= last; });
}

void RowSampler::keep_from(float bound) {
    keep_if([&](int64_t i) { return s_.logits[i] >= bound; });
}

}  // namespace foretell
