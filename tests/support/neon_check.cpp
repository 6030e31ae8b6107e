// Runs every kernel of one instruction set, and the elementary functions, on fixed pseudo-random
// data and prints, for each, a hash of the bits of its results. Built by test_neon.py for two
// processors: all lines must be the same.

#include <cinttypes>
#include <cstdio>
#include <vector>

#include "kernels/kernels.h"
#include "program/angles.h"
#include "sampling/elementary.h"
#include "weights/half.h"
#include "weights/packing.h"

namespace foretell {
const Kernels& KERNELS();
}

namespace {

using namespace foretell;

uint64_t state = 1;

// Knuth's linear congruential generator, its upper bits.
uint32_t next_random() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
}

// From -size to size, exact in float32.
float random_float(float size) {
    return (static_cast<float>(next_random() >> 7) * 0x1p-23f - 1.0f) * size;
}

std::vector<float> random_floats(size_t count, float size) {
    std::vector<float> values(count);
    for (float& x : values) x = random_float(size);
    return values;
}

void print_hash(const char* kernel, const char* what, const void* data, size_t bytes) {
    uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (size_t i = 0; i < bytes; ++i) {
        hash = (hash ^ static_cast<const uint8_t*>(data)[i]) * 1099511628211u;
    }
    std::printf("%s %s %016" PRIx64 "\n", kernel, what, hash);
}

void print_hash(const char* kernel, const char* what, const std::vector<float>& values) {
    print_hash(kernel, what, values.data(), values.size() * sizeof(float));
}

constexpr int64_t kTokens = 13, kOutputs = 35, kInputs = 512;

struct Activations {
    std::vector<float> x = random_floats(kTokens * kInputs, 3.0f);
    std::vector<QuantizedGroup> groups = std::vector<QuantizedGroup>(kTokens * kInputs / kGroup);

    Quantized quantized() { return {groups.data(), kInputs}; }
};

// Any bits, small enough that no sum of products is infinite.
std::vector<uint8_t> random_floats_of(const FileType& type, size_t count) {
    std::vector<uint8_t> bytes(count * type.block_bytes);
    // Without the upper exponent bit no two bytes are a large, infinite or NaN float of any width.
    for (uint8_t& byte : bytes) byte = next_random() & 0xbf;
    return bytes;
}

bool is_small(uint16_t half) { return (half & 0x7c00) < 0x4800; }

bool has_small_scales(const FileType& type, const Unpacked& block) {
    if (type.format.scales == Scales::e8m0) return block.scales[0] < 128 + 16;
    return is_small(block.scale) && is_small(block.minimum);
}

std::vector<uint8_t> random_blocks(const FileType& type, size_t count) {
    std::vector<uint8_t> bytes(count * type.block_bytes);
    for (size_t at = 0; at < bytes.size(); at += type.block_bytes) {
        Unpacked block{};
        do {
            for (int i = 0; i < type.block_bytes; ++i) bytes[at + i] = next_random() & 0xff;
            type.unpack(&bytes[at], block);
        } while (!has_small_scales(type, block));
    }
    return bytes;
}

void check_linear(const Kernels& kernels, const FileType& type, Activations& input) {
    const size_t blocks = kOutputs * kInputs / type.block_size;
    const std::vector<uint8_t> bytes =
        type.format.is_float() ? random_floats_of(type, blocks) : random_blocks(type, blocks);
    Matrix matrix{type.format, kOutputs, kInputs, nullptr};
    std::vector<uint8_t> packed(matrix.bytes() + 64);
    matrix.data = packed.data() + 64 - reinterpret_cast<uintptr_t>(packed.data()) % 64;
    if (!pack_blocks(type, bytes.data(), matrix, 0, matrix.num_blocks())) {
        std::printf("%s is not finite\n", type.name);
        return;
    }
    const std::vector<float> bias = random_floats(kOutputs, 1.0f);
    const std::vector<float> residual = random_floats(kTokens * kOutputs, 1.0f);
    std::vector<float> y(kTokens * kOutputs), row(kInputs);
    const Quantized quantized = input.quantized();
    const LinearTask task{
        &matrix, bias.data(), input.x.data(), &quantized, residual.data(),    y.data(),
        kTokens, kInputs,     kOutputs,       0,          matrix.num_blocks()};
    kernels.decode_row(matrix, kOutputs - 1, row.data());
    print_hash("decode_row", type.name, row);
    kernels.linear_float(task);
    print_hash("linear_float", type.name, y);
    if (type.format.is_float()) return;
    kernels.linear_int8(task);
    print_hash("linear_int8", type.name, y);
}

void check_quantize(const Kernels& kernels, Activations& input) {
    for (int64_t k = 0; k < kGroup; ++k) input.x[2 * kInputs + k] = 0;
    for (int64_t n = 0; n < kTokens; ++n) {
        kernels.quantize(input.x.data() + n * kInputs, kInputs, input.quantized().row(n));
    }
    print_hash("quantize", "groups", input.groups.data(),
               input.groups.size() * sizeof(QuantizedGroup));
}

void check_activation(Activation* activation, const char* name, const char* what,
                      const std::vector<float>& gate, const std::vector<float>* up) {
    std::vector<float> out(gate.size());
    activation(gate.data(), up ? up->data() : nullptr, gate.size(), out.data());
    print_hash(name, what, out);
}

void check_rows(const Kernels& kernels, int64_t size, const char* what) {
    const std::vector<float> x = random_floats(size, 90.0f), weight = random_floats(size, 2.0f);
    std::vector<float> out(size);
    const std::vector<float> other = random_floats(size, 3.0f);
    kernels.rms_norm(x.data(), weight.data(), nullptr, 1e-5f, size, out.data());
    print_hash("rms_norm", what, out);
    kernels.rms_norm(x.data(), weight.data(), other.data(), 1e-5f, size, out.data());
    print_hash("rms_norm", what, out);
    kernels.layer_norm(x.data(), weight.data(), other.data(), 1e-5f, size, out.data());
    print_hash("layer_norm", what, out);
    kernels.softcap(x.data(), 30.0f, size, out.data());
    print_hash("softcap", what, out);
    const auto& all = kernels.activations;
    check_activation(all.silu, "silu", what, x, &weight);
    check_activation(all.sigmoid, "sigmoid", what, x, nullptr);
    check_activation(all.clamped_swiglu, "clamped_swiglu", what, x, &other);
    const std::vector<float> constants = {0.8f, 0.9f, 0.5f, -1e-6f};
    check_activation(all.xielu, "xielu", what, x, &constants);
    check_activation(all.xielu, "xielu", what, other, &constants);
    check_activation(all.relu, "relu", what, x, nullptr);
    check_activation(all.relu_squared, "relu_squared", what, x, &weight);
    for (const std::vector<float>* up :
         {&weight, static_cast<const std::vector<float>*>(nullptr)}) {
        check_activation(all.gelu, "gelu", what, other, up);
        check_activation(all.gelu_erf, "gelu_erf", what, other, up);
    }
}

void check_conv(const Kernels& kernels, int64_t taps, bool is_gated, const char* what) {
    constexpr int64_t kChannels = 48;
    const std::vector<float> x = random_floats(kTokens * kChannels, 2.0f);
    const std::vector<float> gate = random_floats(x.size(), 2.0f);
    const std::vector<float> factor = random_floats(x.size(), 2.0f);
    const std::vector<float> weights = random_floats(kChannels * taps, 1.0f);
    const std::vector<float> bias = random_floats(kChannels, 1.0f);
    std::vector<float> state(kChannels * (taps - 1) + 1), y(x.size());
    ConvTask task{};
    task.x = x.data();
    task.gate = is_gated ? gate.data() : nullptr;
    task.factor = is_gated ? factor.data() : nullptr;
    task.weights = weights.data();
    task.bias = is_gated ? nullptr : bias.data();
    task.target = state.data();
    task.y = y.data();
    task.tokens = kTokens;
    task.stride = kChannels;
    task.taps = taps;
    task.tile_end = kChannels / kRows;
    kernels.causal_conv(task);
    print_hash("causal_conv", what, y);
    task.source = state.data();
    kernels.causal_conv(task);
    y.insert(y.end(), state.begin(), state.end());
    print_hash("causal_conv", what, y);
}

void check_scan(const Kernels& kernels, int64_t size, int64_t head_dim, const char* what) {
    constexpr int64_t kChannels = 64, kGroups = 2;
    const int64_t heads = kChannels / head_dim, half = kGroups * size;
    const std::vector<float> x = random_floats(kTokens * kChannels, 2.0f);
    const std::vector<float> steps = random_floats(kTokens * heads, 3.0f);
    const std::vector<float> both = random_floats(kTokens * 2 * half, 1.0f);
    std::vector<float> rates = random_floats(kChannels * (head_dim == 1 ? size : 1), 2.0f);
    for (float& rate : rates) rate = -rate * rate;
    const std::vector<float> skip = random_floats(kChannels, 1.0f);
    const std::vector<float> bias = random_floats(kChannels, 1.0f);
    std::vector<float> state(kChannels * size), y(x.size());
    ScanTask task{};
    task.x = x.data();
    task.steps = steps.data();
    task.b = both.data();
    task.c = both.data() + half;
    task.rates = rates.data();
    task.skip = skip.data();
    task.step_bias = bias.data();
    task.target = state.data();
    task.y = y.data();
    task.tokens = kTokens;
    task.x_stride = task.y_stride = kChannels;
    task.steps_stride = heads;
    task.bc_stride = 2 * half;
    task.state_size = size;
    task.head_dim = head_dim;
    task.group_channels = kChannels / kGroups;
    task.shares_rates = head_dim > 1;
    task.tile_end = kChannels / kRows;
    kernels.selective_scan(task);
    print_hash("selective_scan", what, y);
    task.source = state.data();
    kernels.selective_scan(task);
    y.insert(y.end(), state.begin(), state.end());
    print_hash("selective_scan", what, y);
}

void check_delta_rule(const Kernels& kernels, int64_t size, bool takes_turns, const char* what) {
    constexpr int64_t kHeads = 4, kDim = 32, kChannels = kHeads * kDim, kKeyHeads = 2;
    const int64_t keys = kKeyHeads * size, stride = 2 * keys + kChannels;
    const std::vector<float> x = random_floats(kTokens * stride, 2.0f);
    const std::vector<float> steps = random_floats(kTokens * kHeads, 3.0f);
    const std::vector<float> strengths = random_floats(kTokens * kHeads, 3.0f);
    std::vector<float> rates = random_floats(kChannels, 0.5f);
    for (float& rate : rates) rate = -rate * rate;
    const std::vector<float> bias = random_floats(kChannels, 1.0f);
    std::vector<float> state(kChannels * size), y(kTokens * kChannels);
    DeltaTask task{};
    task.q = x.data();
    task.k = task.q + keys;
    task.v = task.k + keys;
    task.steps = steps.data();
    task.strengths = strengths.data();
    task.rates = rates.data();
    task.step_bias = bias.data();
    task.target = state.data();
    task.y = y.data();
    task.tokens = kTokens;
    task.x_stride = stride;
    task.steps_stride = task.strengths_stride = task.heads = kHeads;
    task.y_stride = kChannels;
    task.state_size = size;
    task.head_dim = kDim;
    task.key_heads = kKeyHeads;
    task.takes_turns = takes_turns;
    task.tile_end = kChannels / kRows;
    kernels.delta_rule(task);
    print_hash("delta_rule", what, y);
    task.source = state.data();
    kernels.delta_rule(task);
    y.insert(y.end(), state.begin(), state.end());
    print_hash("delta_rule", what, y);
}

void check_attention(const Kernels& kernels, KvType type, int64_t dim, const char* what) {
    constexpr int64_t kHeads = 7, kBlock = 16, kBlocks = 20, kLength = 300;
    KvLayer kv{nullptr, type, 1, dim, kBlock, 0};
    kv.block_bytes = kv.layer_bytes();
    std::vector<uint8_t> cache(kBlocks * kv.block_bytes + 64);
    kv.data = cache.data() + 64 - reinterpret_cast<uintptr_t>(cache.data()) % 64;
    int32_t table[kBlocks];
    for (int i = 0; i < kBlocks; ++i) table[i] = (7 * i + 3) % kBlocks;
    for (int64_t position = 0; position < kLength; ++position) {
        const std::vector<float> k = random_floats(dim, 2.0f), v = random_floats(dim, 1e-3f);
        kernels.store_kv({kv, k.data(), v.data(), table[position / kBlock], position % kBlock, 0});
    }
    print_hash("store_kv", what, kv.data, kBlocks * kv.block_bytes);
    const int64_t stride = kHeads * dim;
    const std::vector<float> q = random_floats(kQueryTokens * stride, 4.0f);
    std::vector<float> out(kQueryTokens * stride), scratch(attention_scratch(dim));
    AttentionTask task{
        kv, q.data(), out.data(), stride,  table,          0,  1, 0, kHeads, 0, 0.2f, kNoWindow,
        0,  nullptr,  false,      nullptr, scratch.data(), {}, 0};
    for (const int64_t last : {int64_t{11}, int64_t{16}, int64_t{255}, kLength - 1}) {
        for (const int64_t tokens : {int64_t{1}, int64_t{5}, int64_t{kQueryTokens}}) {
            for (const int64_t window : {kNoWindow, int64_t{7}}) {
                task.position = last - tokens + 1;
                task.tokens = tokens;
                task.window = window;
                kernels.attention(task);
                print_hash("attention", what, out);
            }
        }
    }
    const std::vector<float> slopes = random_floats(kHeads, 0.5f), sinks = random_floats(kHeads, 9);
    task.softcap = 3;
    task.slopes = slopes.data();
    task.sinks = sinks.data();
    kernels.attention(task);
    print_hash("attention", what, out);
    task.rounds_slopes = true;
    kernels.attention(task);
    print_hash("attention", what, out);
    task.softcap = 0;
    task.slopes = task.sinks = nullptr;
    constexpr int64_t kChunks = (kLength - 1) / kAttentionChunk + 1;
    std::vector<float> parts(kHeads * kChunks * AttentionParts::stride(dim));
    task.position = kLength - 1;
    task.tokens = 1;
    task.window = kNoWindow;
    task.parts = {parts.data(), kHeads, kChunks, dim};
    for (task.chunk = 0; task.chunk < kChunks; ++task.chunk) kernels.attention(task);
    for (int64_t head = 0; head < kHeads; ++head) {
        kernels.join_attention(
            {task.parts, 0, head, 0, kChunks - 1, nullptr, out.data() + head * dim});
    }
    print_hash("join_attention", what, out);
}

// Logits that are large, small and equal; each kind of scores.
void check_route(const Kernels& kernels) {
    constexpr int kExperts = 40, kUsed = 6;
    std::vector<float> logits = random_floats(kExperts, 4.0f), bias = random_floats(kExperts, 0.2f);
    logits[7] = logits[30] = 3.5f;
    logits[8] = 80.0f;
    std::vector<float> weights(kUsed);
    std::vector<int32_t> chosen(kUsed);
    for (const Scoring scoring : {Scoring::softmax, Scoring::chosen_softmax, Scoring::sigmoid}) {
        Routing routing{kExperts, kUsed, scoring, scoring == Scoring::sigmoid, 5, 2, 2, 1.5f};
        kernels.route({&routing, logits.data(), bias.data(), chosen.data(), weights.data()});
        for (int i = 0; i < kUsed; ++i) weights[i] += 1000.0f * chosen[i];
        print_hash("route", "scores", weights);
    }
    logits[8] = 3.6f;
    Routing routing{kExperts, 2, Scoring::sparse_mixer};
    routing.threshold = 0.2f;
    kernels.route({&routing, logits.data(), nullptr, chosen.data(), weights.data()});
    print_hash("route", "sparse_mixer", weights);
}

void check_experts_sum(const Kernels& kernels, Activations& input) {
    const FileType& type = *find_file_type(8);
    const std::vector<uint8_t> bytes = random_blocks(type, kOutputs * kInputs / type.block_size);
    Matrix matrix{type.format, kOutputs, kInputs, nullptr};
    std::vector<uint8_t> packed(matrix.bytes() + 64);
    matrix.data = packed.data() + 64 - reinterpret_cast<uintptr_t>(packed.data()) % 64;
    pack_blocks(type, bytes.data(), matrix, 0, matrix.num_blocks());
    const std::vector<float> bias = random_floats(kOutputs, 1.0f), factors = random_floats(3, 1.0f);
    std::vector<float> y = random_floats(kTokens * kOutputs, 1.0f);
    const int32_t targets[] = {1, 4, 9};
    const Quantized quantized = input.quantized();
    LinearTask task{};
    task.weights = &matrix;
    task.bias = bias.data();
    task.codes = &quantized;
    task.y = y.data();
    task.tokens = 3;
    task.y_stride = kOutputs;
    task.block_end = matrix.num_blocks();
    task.targets = targets;
    task.factors = factors.data();
    kernels.linear_int8(task);
    print_hash("add_to_targets", "Q8_0", y);
    kernels.add_gated(y.data(), 0.3f, y.data() + kOutputs, kOutputs, y.data());
    print_hash("add_gated", "35", y);
}

void check_elementary() {
    std::vector<float> turned;
    for (const float size : {4.0f, 0x1p12f, 0x1p24f}) {
        for (const float angle : random_floats(4096, size)) {
            const CosSin at = cos_sin(angle);
            turned.insert(turned.end(), {at.cos, at.sin});
        }
    }
    print_hash("cos_sin", "2^24", turned);
    std::vector<double> powers, logarithms;
    for (const float size : {1e-3f, 10.0f, 720.0f}) {
        for (const float x : random_floats(4096, size)) {
            powers.push_back(exp_of(x));
            logarithms.push_back(log_of(x < 0 ? -x : powers.back()));
        }
    }
    print_hash("exp", "720", powers.data(), powers.size() * sizeof(double));
    print_hash("log", "720", logarithms.data(), logarithms.size() * sizeof(double));
    const std::vector<float> a = random_floats(577, 3.0f), b = random_floats(577, 3.0f);
    print_hash("inner_product", "577", {inner_product(a.data(), b.data(), 577)});
    const std::vector<double> p(powers.begin(), powers.begin() + 577);
    const double apart = divergence(p.data(), a.data(), b.data(), 577);
    print_hash("divergence", "577", &apart, sizeof apart);
}

}  // namespace

int main() {
    const Kernels& kernels = foretell::KERNELS();
    std::fprintf(stderr, "%s\n", kernels.name);
    Activations input;
    check_quantize(kernels, input);
    for (int ggml_id = 0; ggml_id < foretell::kOwnTypes + 256; ++ggml_id) {
        if (const FileType* type = find_file_type(ggml_id)) check_linear(kernels, *type, input);
    }
    check_rows(kernels, 100, "100");
    check_rows(kernels, 512, "512");
    check_route(kernels);
    check_experts_sum(kernels, input);
    check_attention(kernels, KvType::float32, 32, "float32");
    check_attention(kernels, KvType::float16, 32, "float16");
    check_attention(kernels, KvType::float16, 128, "float16_wide");
    check_attention(kernels, KvType::bfloat16, 48, "bfloat16");
    check_attention(kernels, KvType::q8, 32, "q8");
    check_attention(kernels, KvType::q8, 112, "q8_wide");
    check_conv(kernels, 4, false, "four");
    check_conv(kernels, 3, true, "gated");
    check_conv(kernels, 1, true, "one");
    check_scan(kernels, 16, 1, "channels");
    check_scan(kernels, 5, 1, "odd");
    check_scan(kernels, 24, 32, "heads");
    check_delta_rule(kernels, 32, false, "neighbours");
    check_delta_rule(kernels, 13, true, "turns");
    check_elementary();
}
