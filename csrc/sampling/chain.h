// Sampling: the fusable chain over rows of logits, in one call of bindings/sampling.cpp. Penalties
// come first, then temperature and truncations in the order asked for, then the draw. Its twin in
// numpy is foretell.decoding (processors, sampler), which keeps and draws the same, bit for bit.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "sampling/counts.h"
#include "sampling/dense.h"
#include "system/gate.h"

namespace foretell {

enum class StepKind { temperature, top_k, top_k_cut, top_p, min_p };

struct SamplingStep {
    StepKind kind;
    double value;  // T, k or p; ln p of min_p
};

enum class PenaltyKind { repetition, frequency, presence };

struct Penalties {
    float repetition, frequency, presence;
    Scope repetition_scope, count_scope;
};

// A row of logits with NaN or infinity, or without a possible token; says so in one line.
struct BrokenRow : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// One sequence's settings, and the counts of its tokens so far.
class SamplingChain {
  public:
    SamplingChain(int64_t vocab_size, const Penalties& penalties,
                  const std::vector<int32_t>& exempt, std::vector<SamplingStep> steps,
                  int64_t min_tokens_to_keep, bool greedy);

    // Whoever reads or changes it where others may come is inside meanwhile.
    Gate& gate() const { return gate_; }

    void advance(const std::vector<int32_t>& new_tokens, int64_t num_prompt_tokens);
    void clear();  // as before the first token

    int64_t vocab_size() const { return vocab_size_; }
    int64_t num_seen() const { return static_cast<int64_t>(tokens_.size()); }
    bool greedy() const { return greedy_; }
    int64_t min_tokens_to_keep() const { return min_tokens_to_keep_; }
    const std::vector<SamplingStep>& steps() const { return steps_; }

    // Applies the penalties to the row (vocab_size). Returns whether one of the logits that they
    // read was +inf.
    bool penalize(float* row) const;

    // One by one: the penalties that do something, in their order, their tokens, their effect.
    std::vector<PenaltyKind> penalties() const;
    const TokenCounts& counts_of(PenaltyKind kind) const;
    float penalized(PenaltyKind kind, float logit, int32_t count) const;

  private:
    bool repeats() const { return penalties_.repetition != 1; }
    bool counts() const { return penalties_.frequency != 0 || penalties_.presence != 0; }

    mutable Gate gate_;
    int64_t vocab_size_;
    Penalties penalties_;
    std::vector<SamplingStep> steps_;
    int64_t min_tokens_to_keep_;
    bool greedy_;
    TokenCounts repetition_counts_, counts_;
    std::vector<int32_t> tokens_;
};

class RowSampler;

// Temperature or a truncation.
void apply_step(RowSampler& row, const SamplingStep& step, int64_t at_least);

// The token at quantile `uniform` in [0, 1) of what the chain leaves of the row (vocab_size), which
// is overwritten; greedily the largest logit, the lowest id among equals. Throws BrokenRow.
int64_t choose_token(const DenseLoops& loops, const SamplingChain& chain, float* row,
                     double uniform);

// The token at quantile `uniform` in [0, 1) of a row as it is. Throws BrokenRow.
int64_t draw_token(const DenseLoops& loops, float* row, int64_t size, double uniform);

// Writes what the chain makes of the row, without a draw. Throws BrokenRow.
void apply_chain(const DenseLoops& loops, const SamplingChain& chain, float* row);

// Ids that the chain leaves possible, ascending.
std::vector<int64_t> kept_tokens(const DenseLoops& loops, const SamplingChain& chain, float* row);

}  // namespace foretell
