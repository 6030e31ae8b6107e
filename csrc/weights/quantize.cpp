// Sixteen groups at a time, one a lane: what a lane computes does not depend on its neighbours.
#include "weights/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "weights/half.h"

namespace foretell {
namespace {

constexpr int kLanes = 16;
constexpr int kGroup = 32;
constexpr float kLargestHalf = 65504.0f;
constexpr float kLevels = 15.0f;
constexpr float kCuts[] = {0.0f, 0.035f, 0.07f};  // shares of the range, left out at each end
constexpr int kRefinements = 2;

struct Lanes {
    float at[kLanes];
};

struct Groups {
    Lanes x[kGroup];
};

// To nearest, ties to even, for |v| < 2^22: at this size floats have no fraction.
inline float rounded(float v) {
    constexpr float shift = 12582912.0f;
    return (v + shift) - shift;
}

inline float clipped(float v, float low, float high) { return std::min(std::max(v, low), high); }

inline float read(FloatType type, const uint8_t* weights, int64_t i) {
    if (type == FloatType::float32) {
        float value;
        std::memcpy(&value, weights + 4 * i, 4);
        return value;
    }
    uint16_t bits;
    std::memcpy(&bits, weights + 2 * i, 2);
    return type == FloatType::float16 ? half_to_float(bits) : bfloat16_to_float(bits);
}

// Lanes past `count` repeat the last group. False if a weight is NaN or infinite.
bool read_groups(FloatType type, const uint8_t* weights, int count, Groups& groups) {
    bool finite = true;
    for (int lane = 0; lane < kLanes; ++lane) {
        const int64_t first = static_cast<int64_t>(std::min(lane, count - 1)) * kGroup;
        for (int k = 0; k < kGroup; ++k) {
            const float value = read(type, weights, first + k);
            finite = finite && std::isfinite(value);
            groups.x[k].at[lane] = value;
        }
    }
    return finite;
}

void find_range(const Groups& groups, Lanes& low, Lanes& high) {
    low = high = groups.x[0];
    for (int k = 1; k < kGroup; ++k) {
        for (int lane = 0; lane < kLanes; ++lane) {
            low.at[lane] = std::min(low.at[lane], groups.x[k].at[lane]);
            high.at[lane] = std::max(high.at[lane], groups.x[k].at[lane]);
        }
    }
}

// Rounds to float16; false if a value has none.
bool round_to_half(Lanes& values) {
    bool fits = true;
    for (float& value : values.at) {
        fits = fits && std::fabs(value) <= kLargestHalf;
        value = half_to_float(float_to_half(value));
    }
    return fits;
}

void invert(const Lanes& scale, Lanes& inverse) {
    for (int lane = 0; lane < kLanes; ++lane) {
        inverse.at[lane] = scale.at[lane] > 0 ? 1.0f / scale.at[lane] : 0.0f;
    }
}

void put_half(uint8_t* p, float value) {
    const uint16_t bits = float_to_half(value);
    std::memcpy(p, &bits, 2);
}

bool pack_q8(const Groups& groups, int count, uint8_t* blocks) {
    Lanes low, high, scale, inverse;
    find_range(groups, low, high);
    for (int lane = 0; lane < kLanes; ++lane) {
        scale.at[lane] = std::max(high.at[lane], -low.at[lane]) / 127.0f;
    }
    if (!round_to_half(scale)) return false;
    invert(scale, inverse);
    for (int lane = 0; lane < count; ++lane) {
        uint8_t* block = blocks + lane * kQ8BlockBytes;
        put_half(block, scale.at[lane]);
        for (int k = 0; k < kGroup; ++k) {
            const float code = clipped(groups.x[k].at[lane] * inverse.at[lane], -127.0f, 127.0f);
            block[2 + k] = static_cast<uint8_t>(static_cast<int8_t>(rounded(code)));
        }
    }
    return true;
}

// Scales and minima of sixteen groups, their codes, and how far off the weights are.
struct Fit {
    Lanes scale, minimum, error;
    Groups codes;
};

// Chooses the nearest codes for the fit's scale and minimum; false if these have no float16.
bool choose_codes(const Groups& groups, Fit& fit) {
    if (!round_to_half(fit.scale) || !round_to_half(fit.minimum)) return false;
    Lanes inverse;
    invert(fit.scale, inverse);
    fit.error = {};
    for (int k = 0; k < kGroup; ++k) {
        for (int lane = 0; lane < kLanes; ++lane) {
            const float offset = groups.x[k].at[lane] - fit.minimum.at[lane];
            const float code = rounded(clipped(offset * inverse.at[lane], 0.0f, kLevels));
            const float off = offset - fit.scale.at[lane] * code;
            fit.codes.x[k].at[lane] = code;
            fit.error.at[lane] += off * off;
        }
    }
    return true;
}

// Scale and minimum that fit the codes best: the regression line of weights on codes.
void refine(const Groups& groups, Fit& fit) {
    Lanes x{}, c{}, cc{}, cx{};
    for (int k = 0; k < kGroup; ++k) {
        for (int lane = 0; lane < kLanes; ++lane) {
            const float value = groups.x[k].at[lane], code = fit.codes.x[k].at[lane];
            x.at[lane] += value;
            c.at[lane] += code;
            cc.at[lane] += code * code;
            cx.at[lane] += code * value;
        }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
        const float mean_x = x.at[lane] / kGroup, mean_code = c.at[lane] / kGroup;
        const float variance = cc.at[lane] / kGroup - mean_code * mean_code;
        const float covariance = cx.at[lane] / kGroup - mean_code * mean_x;
        fit.scale.at[lane] = variance > 1e-6f ? covariance / variance : 0.0f;
        fit.minimum.at[lane] = mean_x - fit.scale.at[lane] * mean_code;
    }
}

void keep_better(Fit& best, const Fit& other) {
    for (int lane = 0; lane < kLanes; ++lane) {
        if (!(other.error.at[lane] < best.error.at[lane])) continue;
        best.scale.at[lane] = other.scale.at[lane];
        best.minimum.at[lane] = other.minimum.at[lane];
        best.error.at[lane] = other.error.at[lane];
    }
}

// The fit of a range that leaves out a share of the whole one at each end.
Fit fit_of_range(const Lanes& low, const Lanes& high, float share) {
    Fit fit;
    for (int lane = 0; lane < kLanes; ++lane) {
        const float range = high.at[lane] - low.at[lane], cut = range * share;
        fit.scale.at[lane] = (range - 2 * cut) / kLevels;
        fit.minimum.at[lane] = low.at[lane] + cut;
    }
    return fit;
}

bool find_best_fit(const Groups& groups, Fit& best) {
    Lanes low, high;
    find_range(groups, low, high);
    best = fit_of_range(low, high, 0);
    if (!choose_codes(groups, best)) return false;
    for (const float cut : kCuts) {
        Fit fit = fit_of_range(low, high, cut);
        if (!choose_codes(groups, fit)) return false;
        for (int i = 0; i < kRefinements; ++i) {
            refine(groups, fit);
            if (!choose_codes(groups, fit)) return false;
            keep_better(best, fit);
        }
    }
    return choose_codes(groups, best);
}

bool pack_q4(const Groups& groups, int count, uint8_t* blocks) {
    Fit best;
    if (!find_best_fit(groups, best)) return false;
    for (int lane = 0; lane < count; ++lane) {
        uint8_t* block = blocks + lane * kQ4BlockBytes;
        put_half(block, best.scale.at[lane]);
        put_half(block + 2, best.minimum.at[lane]);
        for (int k = 0; k < kGroup / 2; ++k) {
            const int low = static_cast<int>(best.codes.x[k].at[lane]);
            const int high = static_cast<int>(best.codes.x[k + kGroup / 2].at[lane]);
            block[4 + k] = static_cast<uint8_t>(low | high << 4);
        }
    }
    return true;
}

}  // namespace

Flaw quantize_groups(FloatType source, const uint8_t* weights, int64_t groups, CodeType target,
                     uint8_t* blocks) {
    const int64_t group_bytes = kGroup * (source == FloatType::float32 ? 4 : 2);
    const int64_t block_bytes = target == CodeType::q8 ? kQ8BlockBytes : kQ4BlockBytes;
    Groups some;
    for (int64_t first = 0; first < groups; first += kLanes) {
        const int count = static_cast<int>(std::min<int64_t>(kLanes, groups - first));
        if (!read_groups(source, weights + first * group_bytes, count, some)) {
            return Flaw::not_finite;
        }
        uint8_t* out = blocks + first * block_bytes;
        const bool fits =
            target == CodeType::q8 ? pack_q8(some, count, out) : pack_q4(some, count, out);
        if (!fits) return Flaw::too_large;
    }
    return Flaw::none;
}

}  // namespace foretell
