// The chain with all that is to be told of it: what each stage made of the distribution, and what
// became of the token chosen and of the likeliest others. Its twin is decoding/trace.py's Recorder.
#pragma once

#include <cstdint>
#include <vector>

#include "sampling/chain.h"

namespace foretell {

struct WatchedStage {
    int64_t num_possible;
    double mass;     // the share that the possible tokens had before the stage
    double entropy;  // in nats
};

// A token, its place in the row as it came, and what it was at each stage.
struct WatchedToken {
    int32_t id;
    int64_t rank;  // 1 + how many are likelier
    std::vector<float> logits;
    std::vector<double> probabilities;
};

struct WatchedStep {
    std::vector<WatchedStage> stages;  // first the row as it came, then penalties and steps
    std::vector<WatchedToken> tokens;  // the chosen one, then the others by rank
    double low, high;                  // the sums of probability between which it was drawn
};

// Chooses as `choose_token` does and leaves the row alone. Told are, besides the chosen token, the
// `num_others` likeliest of the row as it came and of what the chain leaves. Throws BrokenRow.
//
// A temperature below 1e-30 may rule out tokens that had a share, which `mass` takes no notice of.
WatchedStep watch_token(const DenseLoops& loops, const SamplingChain& chain, const float* row,
                        double uniform, int64_t num_others);

}  // namespace foretell
