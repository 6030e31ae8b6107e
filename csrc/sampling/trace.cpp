#include "sampling/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "sampling/elementary.h"
#include "sampling/keys.h"
#include "sampling/row.h"

namespace foretell {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kLeastShare = 1e-3;  // of sums: if less is left, they are added up anew

// A row as a stage left it. `largest` was the largest logit before the stage, and `last_key` is the
// largest key that it kept: so the stage can be repeated for one token.
struct Snapshot {
    RowSums sums;
    double mass = 1;
    float largest = 0;
    uint64_t last_key = ~uint64_t{0};
};

double total_of(const Snapshot& snapshot) { return snapshot.sums.sums.mass; }

double entropy_of(const Snapshot& snapshot) {
    return std::max(0.0,
                    log_of(total_of(snapshot)) - snapshot.sums.sums.moment / total_of(snapshot));
}

double probability_of(const Snapshot& snapshot, float logit) {
    if (logit == -kInfinity) return 0;
    return std::min(1.0, exp_of(logit - snapshot.sums.largest) / total_of(snapshot));
}

class Tracer {
  public:
    Tracer(const DenseLoops& loops, const SamplingChain& chain, const float* raw)
        : loops_(loops), chain_(chain), raw_(raw) {}

    TracedStep run(double uniform, int64_t num_others);

  private:
    void penalize(RowSampler& row, PenaltyKind kind);
    void apply(RowSampler& row, const SamplingStep& step);
    bool amend(RowSums& sums, float largest) const;
    std::vector<float> logits_of(int32_t id) const;
    int64_t rank_of_logit(float logit) const;
    TracedToken trace(int32_t id) const;

    const DenseLoops& loops_;
    const SamplingChain& chain_;
    const float* raw_;
    std::vector<float> raw_maxima_;
    std::vector<float> before_, after_;  // logits that a penalty changes
    std::vector<Snapshot> snapshots_;
};

std::vector<float>& spare_row() {
    thread_local std::vector<float> row;
    return row;
}

// The tokens to trace: the chosen first, then each of the others once.
std::vector<int32_t> ids_to_trace(int32_t chosen, const std::vector<int32_t>& first,
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

TracedStep Tracer::run(double uniform, int64_t num_others) {
    std::vector<float>& copy = spare_row();
    copy.assign(raw_, raw_ + chain_.vocab_size());
    RowSampler row(loops_, copy.data(), chain_.vocab_size(), false);
    snapshots_.push_back({row.sum_up()});
    raw_maxima_ = row.maxima();
    const std::vector<int32_t> first = row.largest_ids(num_others + 1);
    for (const PenaltyKind kind : chain_.penalties()) penalize(row, kind);
    for (const SamplingStep& step : chain_.steps()) apply(row, step);
    const std::vector<int32_t> last = row.largest_ids(num_others + 1);
    Drawn drawn{0, 0, 0, 1};
    if (chain_.greedy()) {
        drawn.id = row.largest_token();
    } else {
        drawn = row.draw(uniform);
    }
    TracedStep step;
    for (const Snapshot& snapshot : snapshots_) {
        step.stages.push_back({snapshot.sums.num_possible, snapshot.mass, entropy_of(snapshot)});
    }
    for (const int32_t id : ids_to_trace(static_cast<int32_t>(drawn.id), first, last, num_others)) {
        step.tokens.push_back(trace(id));
    }
    std::sort(step.tokens.begin() + 1, step.tokens.end(), [](const auto& a, const auto& b) {
        return std::tie(a.rank, a.id) < std::tie(b.rank, b.id);
    });
    const auto total = static_cast<double>(drawn.total);
    step.low = static_cast<double>(drawn.before) / total;
    step.high = static_cast<double>(drawn.before + drawn.weight) / total;
    return step;
}

// Few logits change, so the sums are amended, unless nearly all of the mass was in those.
void Tracer::penalize(RowSampler& row, PenaltyKind kind) {
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
    Snapshot now{snapshots_.back().sums};
    if (!amend(now.sums, row.largest())) now.sums = row.sum_up();
    snapshots_.push_back(now);
}

bool Tracer::amend(RowSums& sums, float largest) const {
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

void Tracer::apply(RowSampler& row, const SamplingStep& step) {
    const Snapshot before = snapshots_.back();
    Snapshot now{before.sums, 1, row.largest()};
    apply_step(row, step, chain_.min_tokens_to_keep());
    const bool cuts = step.kind != StepKind::temperature;
    now.last_key = row.last_key();
    if (!cuts || row.listed()) now.sums = row.sum_up();
    if (cuts && now.sums.num_possible < before.sums.num_possible) {
        const double shift = exp_of(now.sums.largest - before.sums.largest);
        now.mass = std::min(1.0, total_of(now) * shift / total_of(before));
    }
    snapshots_.push_back(now);
}

// Repeats the stages for one token.
std::vector<float> Tracer::logits_of(int32_t id) const {
    float x = raw_[id];
    std::vector<float> logits{x};
    for (const PenaltyKind kind : chain_.penalties()) {
        x = chain_.penalized(kind, x, chain_.counts_of(kind).count_of(id));
        logits.push_back(x);
    }
    for (const SamplingStep& step : chain_.steps()) {
        const Snapshot& snapshot = snapshots_[logits.size()];
        if (x > -kInfinity && step.kind == StepKind::temperature) {
            x = Scaling(step.value, snapshot.largest)(x);
        }
        if (key_of(x, id) > snapshot.last_key) x = -kInfinity;
        logits.push_back(x);
    }
    return logits;
}

int64_t Tracer::rank_of_logit(float logit) const {
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

TracedToken Tracer::trace(int32_t id) const {
    TracedToken token{id, rank_of_logit(raw_[id]), logits_of(id), {}};
    for (size_t i = 0; i < snapshots_.size(); ++i) {
        token.probabilities.push_back(probability_of(snapshots_[i], token.logits[i]));
    }
    return token;
}

}  // namespace

TracedStep trace_token(const DenseLoops& loops, const SamplingChain& chain, const float* row,
                       double uniform, int64_t num_others) {
    return Tracer(loops, chain, row).run(uniform, num_others);
}

}  // namespace foretell
