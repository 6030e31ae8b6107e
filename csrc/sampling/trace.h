// The chain with a record of it: what each stage made of the distribution, and what became of the
// token chosen and of the likeliest others. Its twin is decoding/trace.py's Recorder.
#pragma once

#include <cstdint>
#include <vector>

#include "sampling/chain.h"

namespace foretell {

struct TracedStage {
    int64_t num_possible;
    double mass;     // the share that the possible tokens had before the stage
    double entropy;  // in nats
};

// What a token was at each stage.
struct TracedToken {
    int32_t id;
    int64_t rank;                       // in the row as it came: 1 + how many are likelier
    std::vector<float> logits;          // (stages), -inf where it is ruled out
    std::vector<double> probabilities;  // (stages)
};

struct TracedStep {
    std::vector<TracedStage> stages;  // first the row as it came, then penalties and steps
    std::vector<TracedToken> tokens;  // the chosen one, then the others by rank
    double low, high;                 // the sums of probability between which it was drawn
};

// Chooses as `choose_token` does and leaves the row alone. Traces, besides the chosen token, the
// `num_others` likeliest of the row as it came and of what the chain leaves. Throws BrokenRow.
//
// A temperature below 1e-30 may rule out tokens that had a share, which `mass` takes no notice of.
TracedStep trace_token(const DenseLoops& loops, const SamplingChain& chain, const float* row,
                       double uniform, int64_t num_others);

}  // namespace foretell
