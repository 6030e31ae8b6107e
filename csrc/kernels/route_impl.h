// The choice of a token's experts. See kernels_impl.h.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/elementwise_impl.h"

namespace foretell {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// A value for each expert; whole lanes of them can be written.
struct ExpertValues {
    alignas(64) float values[kMaxExperts + kLanes];

    float& operator[](int i) { return values[i]; }
};

// In place, over the first `count`; of minus infinity it is 0.
void softmax(ExpertValues& x, int count) {
    const int end = (count + kLanes - 1) / kLanes * kLanes;
    for (int i = count; i < end; ++i) x[i] = kNever;
    const Vec largest = set(*std::max_element(x.values, x.values + count));
    Vec sum = set(0.0f);
    for (int i = 0; i < end; i += kLanes) {
        const Vec e = exp_lanes(sub(load(x.values + i), largest));
        store(x.values + i, e);
        sum = add(sum, e);
    }
    const Vec total = set(reduce_add(sum));
    for (int i = 0; i < end; i += kLanes) store(x.values + i, div(load(x.values + i), total));
}

void sigmoids(ExpertValues& x, int count) {
    for (int i = 0; i < count; i += kLanes) {
        const Vec e = exp_lanes(sub(set(0.0f), load(x.values + i)));
        store(x.values + i, div(set(1.0f), add(set(1.0f), e)));
    }
}

// The largest of [begin, end) that is not taken, the first among equals; -1 if all are taken.
int find_best(ExpertValues& x, const bool* taken, int begin, int end) {
    int best = -1;
    for (int i = begin; i < end; ++i) {
        if (!taken[i] && (best < 0 || x[i] > x[best])) best = i;
    }
    return best;
}

float group_score(ExpertValues& ranks, int begin, int end, int best) {
    bool taken[kMaxExperts] = {};
    float sum = 0;
    for (int i = 0; i < best; ++i) {
        const int next = find_best(ranks, taken, begin, end);
        if (next < 0) break;
        taken[next] = true;
        sum += ranks[next];
    }
    return sum;
}

// The experts of all but the best groups are ranked last.
void leave_out_groups(const Routing& routing, ExpertValues& ranks) {
    const int size = routing.experts / routing.groups;
    ExpertValues scores;
    bool taken[kMaxExperts] = {};
    for (int g = 0; g < routing.groups; ++g) {
        scores[g] = group_score(ranks, g * size, (g + 1) * size, routing.group_best);
    }
    for (int i = 0; i < routing.groups_used; ++i) {
        taken[find_best(scores, taken, 0, routing.groups)] = true;
    }
    for (int e = 0; e < routing.experts; ++e) {
        if (!taken[e / size]) ranks[e] = kNever;
    }
}

// The chosen experts' weights, from the scores of all.
void weigh(const RouteTask& task, ExpertValues& scores) {
    const Routing& routing = *task.routing;
    ExpertValues chosen;
    for (int i = 0; i < routing.used; ++i) chosen[i] = scores[task.experts[i]];
    if (routing.scoring == Scoring::chosen_softmax) softmax(chosen, routing.used);
    float factor = routing.factor;
    if (routing.normalizes) {
        float sum = 0;
        for (int i = 0; i < routing.used; ++i) sum += chosen[i];
        factor /= sum + routing.eps;
    }
    for (int i = 0; i < routing.used; ++i) task.weights[i] = chosen[i] * factor;
}

// The probability of `chosen` among the experts that are near it and not taken.
float mixed_weight(const RouteTask& task, const bool* taken, int chosen) {
    const float best = task.logits[chosen];
    ExpertValues near;
    for (int e = 0; e < task.routing->experts; ++e) {
        const float logit = task.logits[e];
        const float distance = (best - logit) / std::max(std::abs(logit), best);
        near[e] = taken[e] || distance > task.routing->threshold ? kNever : logit;
    }
    softmax(near, task.routing->experts);
    return near[chosen];
}

// SparseMixer (Liu et al. 2023, arXiv 2310.00811), as it is after training.
void mix_sparsely(const RouteTask& task, ExpertValues& logits) {
    bool taken[kMaxExperts] = {};
    for (int i = 0; i < 2; ++i) {
        const int best = find_best(logits, taken, 0, task.routing->experts);
        task.experts[i] = best;
        task.weights[i] = mixed_weight(task, taken, best) * task.routing->factor;
        taken[best] = true;
    }
    if (task.experts[0] < task.experts[1]) return;
    std::swap(task.experts[0], task.experts[1]);
    std::swap(task.weights[0], task.weights[1]);
}

// What is not finite is seen in the weights, as it would be in a sum over all experts.
void give_up(const RouteTask& task) {
    for (int i = 0; i < task.routing->used; ++i) {
        task.experts[i] = i;
        task.weights[i] = std::numeric_limits<float>::quiet_NaN();
    }
}

void route(const RouteTask& task) {
    const Routing& routing = *task.routing;
    const auto is_finite = [](float x) { return std::isfinite(x); };
    if (!std::all_of(task.logits, task.logits + routing.experts, is_finite)) return give_up(task);
    ExpertValues scores, ranks;
    std::copy(task.logits, task.logits + routing.experts, scores.values);
    if (routing.scoring == Scoring::sparse_mixer) return mix_sparsely(task, scores);
    ranks = scores;
    if (routing.scoring == Scoring::softmax) softmax(scores, routing.experts);
    if (routing.scoring == Scoring::sigmoid) sigmoids(scores, routing.experts);
    // Without a bias logits have the scores' order; and differ where scores are rounded to equals.
    if (task.bias || routing.groups > 1) ranks = scores;
    for (int e = 0; task.bias && e < routing.experts; ++e) ranks[e] += task.bias[e];
    if (routing.groups_used < routing.groups) leave_out_groups(routing, ranks);
    bool taken[kMaxExperts] = {};
    for (int i = 0; i < routing.used; ++i) {
        taken[find_best(ranks, taken, 0, routing.experts)] = true;
    }
    int32_t* next = task.experts;
    for (int e = 0; e < routing.experts; ++e) {
        if (taken[e]) *next++ = e;
    }
    weigh(task, scores);
}

}  // namespace
}  // namespace foretell
