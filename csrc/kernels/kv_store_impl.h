// Keys and values on their way into the KV cache and out of it. See kernels_impl.h; KvLayer in
// kernels.h has the layout.
#pragma once

#include <cmath>
#include <cstring>

#include "kernels/elementwise_impl.h"
#include "kernels/inline.h"
#include "kernels/kv_codes_impl.h"
#include "weights/half.h"

namespace foretell {
namespace {

// Sixteen cached values from an address on.
template <KvType T>
FORETELL_INLINE Vec load_cached(const uint8_t* at) {
    if constexpr (T == KvType::float32) {
        return load(reinterpret_cast<const float*>(at));
    } else if constexpr (T == KvType::float16) {
        return load_half(reinterpret_cast<const uint16_t*>(at));
    } else {
        return load_bfloat16(reinterpret_cast<const uint16_t*>(at));
    }
}

// A finite value past float16's largest becomes that; an infinite one stays, for it is an error.
inline Vec within_half(Vec x) {
    const Vec most = set(65504.0f), least = set(-65504.0f);
    const Vec clamped = max(least, min(most, x));  // x where it is NaN
    return select_below(abs(x), set(INFINITY), clamped, x);
}

// Sixteen values as the cache keeps them, rounded to nearest even.
template <KvType T>
inline void round_to_cache(const float* x, uint8_t* out) {
    if constexpr (T == KvType::float32) {
        store(reinterpret_cast<float*>(out), load(x));
    } else if constexpr (T == KvType::float16) {
        store_half(reinterpret_cast<uint16_t*>(out), within_half(load(x)));
    } else {
        uint16_t* bits = reinterpret_cast<uint16_t*>(out);
        for (int i = 0; i < kLanes; ++i) bits[i] = float_to_bfloat16(x[i]);
    }
}

template <KvType T>
void store_kv_as(const StoreKvTask& task) {
    constexpr int64_t kBytes = bytes_of(T);
    const KvLayer& kv = task.kv;
    const int64_t dim = kv.head_dim, head = task.head * kv.head_values();
    const int64_t row = head + task.slot * dim;
    const int64_t column = head + task.slot / kLanes * dim * kLanes + task.slot % kLanes;
    uint8_t* keys = kv.keys(task.block) + column * kBytes;
    uint8_t* values = kv.values(task.block) + row * kBytes;
    for (int64_t d = 0; d < dim; d += kLanes) {
        uint8_t rounded[kLanes * kBytes];
        round_to_cache<T>(task.k + d, rounded);
        for (int64_t i = 0; i < kLanes; ++i) {
            std::memcpy(keys + (d + i) * kLanes * kBytes, rounded + i * kBytes, kBytes);
        }
        round_to_cache<T>(task.v + d, values + d * kBytes);
    }
}

void store_key_codes(const StoreKvTask& task) {
    const KvLayer& kv = task.kv;
    const int64_t dim = kv.head_dim, groups = scale_groups(dim), lane = task.slot % kLanes;
    const int64_t sixteen = task.head * (kv.block_size / kLanes) + task.slot / kLanes;
    uint8_t* keys = kv.keys(task.block) + sixteen * dim * kLanes + lane * 4;
    uint16_t* scales = kv.key_scales(task.block) + sixteen * groups * kLanes + lane;
    for (int64_t d = 0; d < dim; d += kScaleGroup, scales += kLanes) {
        const int64_t size = std::min(kScaleGroup, dim - d);
        *scales = scale_to_bfloat16(code_scale(task.k + d, size));
        int8_t codes[kScaleGroup];
        encode(task.k + d, size, bfloat16_to_float(*scales), codes);
        for (int64_t i = 0; i < size; ++i) {
            keys[(d + i) / 4 * 4 * kLanes + i % 4] = static_cast<uint8_t>(codes[i] + 128);
        }
    }
}

void store_value_codes(const StoreKvTask& task) {
    const KvLayer& kv = task.kv;
    const int64_t dim = kv.head_dim, row = task.head * kv.block_size + task.slot;
    uint8_t* values = kv.values(task.block) + row / 4 * 4 * dim + row % 4;
    uint16_t& scale = kv.value_scales(task.block)[row];
    scale = scale_to_bfloat16(code_scale(task.v, dim));
    int8_t codes[kMaxHeadDim];
    encode(task.v, dim, bfloat16_to_float(scale), codes);
    for (int64_t d = 0; d < dim; ++d) values[4 * d] = static_cast<uint8_t>(codes[d]);
}

void store_kv(const StoreKvTask& task) {
    switch (task.kv.type) {
        case KvType::float32:
            return store_kv_as<KvType::float32>(task);
        case KvType::float16:
            return store_kv_as<KvType::float16>(task);
        case KvType::bfloat16:
            return store_kv_as<KvType::bfloat16>(task);
        case KvType::q8:
            store_key_codes(task);
            return store_value_codes(task);
    }
}

}  // namespace
}  // namespace foretell
