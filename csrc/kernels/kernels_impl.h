// The kernels, written once on the sixteen lanes of simd/*.h. Each isa/*.cpp includes one
// simd header, then this file, and is compiled with that instruction set's flags. Everything here
// has internal linkage, so that no function of one instruction set is called by another.
#pragma once

#include "kernels/activations_impl.h"
#include "kernels/attention_impl.h"
#include "kernels/elementwise_impl.h"
#include "kernels/linear_impl.h"
#include "kernels/route_impl.h"
#include "kernels/state_impl.h"

#define FORETELL_KERNELS(function, label)                                               \
    namespace foretell {                                                                \
    const Kernels& function() {                                                         \
        static const Kernels table = {                                                  \
            label,                                                                      \
            linear_int8,                                                                \
            linear_float,                                                               \
            quantize,                                                                   \
            rms_norm,                                                                   \
            layer_norm,                                                                 \
            {silu, gelu, gelu_erf, relu, relu_squared, sigmoid, clamped_swiglu, xielu}, \
            softcap,                                                                    \
            store_kv,                                                                   \
            attention,                                                                  \
            join_attention,                                                             \
            causal_conv,                                                                \
            selective_scan,                                                             \
            delta_rule,                                                                 \
            decode_row,                                                                 \
            route,                                                                      \
            add_gated};                                                                 \
        return table;                                                                   \
    }                                                                                   \
    }
