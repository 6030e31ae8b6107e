#include "sampling/chain.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/row.h"

namespace foretell {

namespace {

constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A penalty leaves what is finite finite.
inline float finite(float x) { return x > kLargest ? kLargest : x < -kLargest ? -kLargest : x; }

// A whole number; what no integer holds would have no defined result, and is as good as "all".
inline int64_t to_count(double value) {
    constexpr double kMost = 0x1p62;
    return value < kMost ? static_cast<int64_t>(value) : static_cast<int64_t>(kMost);
}

RowSampler run(const DenseLoops& loops, const SamplingChain& chain, float* row) {
    const bool infinite = chain.penalize(row);
    RowSampler sampler(loops, row, chain.vocab_size(), infinite);
    for (const SamplingStep& step : chain.steps()) {
        apply_step(sampler, step, chain.min_tokens_to_keep());
    }
    return sampler;
}

}  // namespace

SamplingChain::SamplingChain(int64_t vocab_size, const Penalties& penalties,
                             const std::vector<int32_t>& exempt, std::vector<SamplingStep> steps,
                             int64_t min_tokens_to_keep, bool greedy)
    : vocab_size_(vocab_size),
      penalties_(penalties),
      steps_(std::move(steps)),
      min_tokens_to_keep_(min_tokens_to_keep),
      greedy_(greedy),
      repetition_counts_(penalties.repetition_scope, vocab_size, exempt),
      counts_(penalties.count_scope, vocab_size, exempt) {}

void SamplingChain::advance(const std::vector<int32_t>& new_tokens, int64_t num_prompt_tokens) {
    for (const int32_t id : new_tokens) {
        tokens_.push_back(id);
        if (repeats()) repetition_counts_.push(tokens_, num_prompt_tokens);
        if (counts()) counts_.push(tokens_, num_prompt_tokens);
    }
}

void SamplingChain::clear() {
    tokens_.clear();
    repetition_counts_.clear();
    counts_.clear();
}

// A token that is ruled out stays so.
float SamplingChain::penalized(PenaltyKind kind, float logit, int32_t count) const {
    if (count == 0 || logit == -kInfinity) return logit;
    switch (kind) {
        case PenaltyKind::repetition:
            return finite(logit < 0 ? logit * penalties_.repetition
                                    : logit / penalties_.repetition);
        case PenaltyKind::frequency:
            return finite(logit - penalties_.frequency * static_cast<float>(count));
        case PenaltyKind::presence:
            return finite(logit - penalties_.presence);
    }
    return logit;
}

std::vector<PenaltyKind> SamplingChain::penalties() const {
    std::vector<PenaltyKind> kinds;
    if (repeats()) kinds.push_back(PenaltyKind::repetition);
    if (penalties_.frequency != 0) kinds.push_back(PenaltyKind::frequency);
    if (penalties_.presence != 0) kinds.push_back(PenaltyKind::presence);
    return kinds;
}

const TokenCounts& SamplingChain::counts_of(PenaltyKind kind) const {
    return kind == PenaltyKind::repetition ? repetition_counts_ : counts_;
}

bool SamplingChain::penalize(float* row) const {
    bool infinite = false;
    for (const PenaltyKind kind : penalties()) {
        for (const TokenCount& seen : counts_of(kind).entries()) {
            float& x = row[seen.id];
            infinite |= x == kInfinity;
            x = penalized(kind, x, seen.count);
        }
    }
    return infinite;
}

void apply_step(RowSampler& row, const SamplingStep& step, int64_t at_least) {
    switch (step.kind) {
        case StepKind::temperature:
            return row.temperature(step.value);
        case StepKind::top_k:
            return row.top_k(std::max(to_count(step.value), at_least), false);
        case StepKind::top_k_cut:
            return row.top_k(std::max(to_count(step.value), at_least), true);
        case StepKind::top_p:
            return row.top_p(step.value, at_least);
        case StepKind::min_p:
            return row.min_p(step.value, at_least);
    }
}

int64_t choose_token(const DenseLoops& loops, const SamplingChain& chain, float* row,
                     double uniform) {
    RowSampler sampler = run(loops, chain, row);
    return chain.greedy() ? sampler.largest_token() : sampler.draw(uniform).id;
}

int64_t draw_token(const DenseLoops& loops, float* row, int64_t size, double uniform) {
    return RowSampler(loops, row, size, false).draw(uniform).id;
}

void apply_chain(const DenseLoops& loops, const SamplingChain& chain, float* row) {
    run(loops, chain, row).write();
}

std::vector<int64_t> kept_tokens(const DenseLoops& loops, const SamplingChain& chain, float* row) {
    RowSampler sampler = run(loops, chain, row);
    if (chain.greedy()) return {sampler.largest_token()};
    return sampler.kept();
}

}  // namespace foretell
