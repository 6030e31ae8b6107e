#include "sampling/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "sampling/keys.h"
#include "sampling/row.h"

namespace foretell {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kLeastShare = 1e-3;  // of sums: if less is left, they are added up anew

// A row as a stage left it. `largest` was the largest logit before the stage, and `last_key` is the
// largest key that it kept: so the stage can be repeated for one token.
struct Look {
    RowSums sums;
    double mass = 1;
    float largest = 0;
    uint64_t last_key = ~uint64_t{0};
};

double total_of(const Look& look) { return look.sums.sums.mass; }

double entropy_of(const Look& look) {
    return std::max(0.0, std::log(total_of(look)) - look.sums.sums.moment / total_of(look));
}

double probability_of(const Look& look, float logit) {
    if (logit == -kInfinity) return 0;
    return std::min(1.0, std::exp(logit - look.sums.largest) / total_of(look));
}

class Watcher {
  public:
    Watcher(const DenseLoops& loops, const SamplingChain& chain, const float* raw)
        : loops_(loops), chain_(chain), raw_(raw) {}

    WatchedStep run(double uniform, int64_t num_others);

  private:
    void penalize(RowSampler& row, PenaltyKind kind);
    void take(RowSampler& row, const SamplingStep& step);
    bool amend(RowSums& sums, float largest) const;
    std::vector<float> logits_of(int32_t id) const;
    int64_t rank_of_logit(float logit) const;
    WatchedToken tell(int32_t id) const;

    const DenseLoops& loops_;
    const SamplingChain& chain_;
    const float* raw_;
    std::vector<float> raw_maxima_;
    std::vector<float> before_, after_;  // logits that a penalty changes
    std::vector<Look> looks_;
};

std::vector<float>& spare_row() {
    thread_local std::vector<float> row;
    return row;
}

// The tokens to tell: the chosen first, then each of the others once.
std::vector<int32_t> ids_to_tell(int32_t chosen, const std::vector<int32_t>& first,
                                 const std::vector<int32_t>& last, int64_t num_others) {
    std::vector<int32_t> ids{chosen};
    for (const std::vector<int32_t>* top : {&first, &last}) {
        int64_t left = num_others;
        for (const int32_t id : *top) {
            if (id == chosen || left-- <= 0) continue;
            if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
        }
    }
    return ids;
}

WatchedStep Watcher::run(double uniform, int64_t num_others) {
    std::vector<float>& copy = spare_row();
    copy.assign(raw_, raw_ + chain_.vocab_size());
    RowSampler row(loops_, copy.data(), chain_.vocab_size(), false);
    looks_.push_back({row.sum_up()});
    raw_maxima_ = row.maxima();
    const std::vector<int32_t> first = row.largest_ids(num_others + 1);
    for (const PenaltyKind kind : chain_.penalties()) penalize(row, kind);
    for (const SamplingStep& step : chain_.steps()) take(row, step);
    const std::vector<int32_t> last = row.largest_ids(num_others + 1);
    Drawn drawn{0, 0, 0, 1};
    if (chain_.greedy()) {
        drawn.id = row.largest_token();
    } else {
        drawn = row.draw(uniform);
    }
    WatchedStep step;
    for (const Look& look : looks_) {
        step.stages.push_back({look.sums.num_possible, look.mass, entropy_of(look)});
    }
    for (const int32_t id : ids_to_tell(static_cast<int32_t>(drawn.id), first, last, num_others)) {
        step.tokens.push_back(tell(id));
    }
    std::sort(step.tokens.begin() + 1, step.tokens.end(), [](const auto& a, const auto& b) {
        return std::tie(a.rank, a.id) < std::tie(b.rank, b.id);
    });
    const auto total = static_cast<double>(drawn.total);
    step.low = static_cast<double>(drawn.before) / total;
    step.high = static_cast<double>(drawn.before + drawn.weight) / total;
    return step;
}

// Few logits change: so do the sums, unless nearly all was in those.
void Watcher::penalize(RowSampler& row, PenaltyKind kind) {
    before_.clear();
    after_.clear();
    float* logits = spare_row().data();
    for (const TokenCount& seen : chain_.counts_of(kind).entries()) {
        float& x = logits[seen.id];
        if (seen.count == 0 || x == -kInfinity) continue;
        before_.push_back(x);
        x = chain_.penalized(kind, x, seen.count);
        after_.push_back(x);
    }
    row.begin(false);
    Look look{looks_.back().sums};
    if (!amend(look.sums, row.largest())) look.sums = row.sum_up();
    looks_.push_back(look);
}

bool Watcher::amend(RowSums& sums, float largest) const {
    if (largest > sums.largest) return false;
    const auto count = static_cast<int64_t>(before_.size());
    const auto moments = [&](const std::vector<float>& logits) {
        return loops_.moments(logits.data(), count, nullptr, sums.largest, nullptr);
    };
    const Moments gone = moments(before_), come = moments(after_);
    const double left = sums.sums.mass - gone.mass;
    if (left + come.mass < kLeastShare * sums.sums.mass) return false;
    sums.sums.mass = left + come.mass;
    sums.sums.moment += come.moment - gone.moment;
    return true;
}

void Watcher::take(RowSampler& row, const SamplingStep& step) {
    const Look before = looks_.back();
    Look look{before.sums, 1, row.largest()};
    apply_step(row, step, chain_.min_tokens_to_keep());
    const bool cuts = step.kind != StepKind::temperature;
    look.last_key = row.last_key();
    if (!cuts || row.listed()) look.sums = row.sum_up();
    if (cuts && look.sums.num_possible < before.sums.num_possible) {
        const double shift = std::exp(look.sums.largest - before.sums.largest);
        look.mass = std::min(1.0, total_of(look) * shift / total_of(before));
    }
    looks_.push_back(look);
}

// Repeats the stages for one token.
std::vector<float> Watcher::logits_of(int32_t id) const {
    float x = raw_[id];
    std::vector<float> logits{x};
    for (const PenaltyKind kind : chain_.penalties()) {
        x = chain_.penalized(kind, x, chain_.counts_of(kind).count_of(id));
        logits.push_back(x);
    }
    for (const SamplingStep& step : chain_.steps()) {
        const Look& look = looks_[logits.size()];
        if (x > -kInfinity && step.kind == StepKind::temperature) {
            x = Scaling(step.value, look.largest)(x);
        }
        if (key_of(x, id) > look.last_key) x = -kInfinity;
        logits.push_back(x);
    }
    return logits;
}

int64_t Watcher::rank_of_logit(float logit) const {
    int64_t likelier = 0;
    const int64_t size = chain_.vocab_size();
    for (size_t g = 0; g < raw_maxima_.size(); ++g) {
        if (!(raw_maxima_[g] > logit)) continue;
        const int64_t start = static_cast<int64_t>(g) * kGroupSize;
        const int64_t end = std::min(start + kGroupSize, size);
        int32_t here = 0;
        for (int64_t i = start; i < end; ++i) here += raw_[i] > logit;
        likelier += here;
    }
    return 1 + likelier;
}

WatchedToken Watcher::tell(int32_t id) const {
    WatchedToken token{id, rank_of_logit(raw_[id]), logits_of(id), {}};
    for (size_t i = 0; i < looks_.size(); ++i) {
        token.probabilities.push_back(probability_of(looks_[i], token.logits[i]));
    }
    return token;
}

}  // namespace

WatchedStep watch_token(const DenseLoops& loops, const SamplingChain& chain, const float* row,
                        double uniform, int64_t num_others) {
    return Watcher(loops, chain, row).run(uniform, num_others);
}

}  // namespace foretell
