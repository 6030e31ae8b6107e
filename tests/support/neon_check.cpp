// Runs every kernel of one instruction set on fixed pseudo-random data and prints, for each, a hash
// of the bits of its results. Built by test_neon.py for two processors: all lines must be the same.

#include <cinttypes>
#include <cstdio>
#include <vector>

#include "kernels/kernels.h"
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
    kernels.silu_mul(x.data(), weight.data(), size, out.data());
    print_hash("silu_mul", what, out);
    kernels.gelu(other.data(), weight.data(), size, out.data());
    print_hash("gelu", what, out);
    kernels.gelu(other.data(), nullptr, size, out.data());
    print_hash("gelu", what, out);
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
    AttentionTask task{kv,     q.data(), out.data(), stride,    table,          0,  1, 0,
                       kHeads, 0,        0.2f,       kNoWindow, scratch.data(), {}, 0};
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
    constexpr int64_t kChunks = (kLength - 1) / kAttentionChunk + 1;
    std::vector<float> parts(kHeads * kChunks * AttentionParts::stride(dim));
    task.position = kLength - 1;
    task.tokens = 1;
    task.window = kNoWindow;
    task.parts = {parts.data(), kHeads, kChunks, dim};
    for (task.chunk = 0; task.chunk < kChunks; ++task.chunk) kernels.attention(task);
    for (int64_t head = 0; head < kHeads; ++head) {
        kernels.join_attention({task.parts, 0, head, 0, kChunks - 1, out.data() + head * dim});
    }
    print_hash("join_attention", what, out);
}

}  // namespace

int main() {
    const Kernels& kernels = foretell::KERNELS();
    std::fprintf(stderr, "%s\n", kernels.name);
    Activations input;
    check_quantize(kernels, input);
    for (int ggml_id = 0; ggml_id < 256; ++ggml_id) {
        if (const FileType* type = find_file_type(ggml_id)) check_linear(kernels, *type, input);
    }
    check_rows(kernels, 100, "100");
    check_rows(kernels, 512, "512");
    check_attention(kernels, KvType::float32, 32, "float32");
    check_attention(kernels, KvType::float16, 32, "float16");
    check_attention(kernels, KvType::float16, 128, "float16_wide");
    check_attention(kernels, KvType::bfloat16, 48, "bfloat16");
    check_attention(kernels, KvType::q8, 32, "q8");
    check_attention(kernels, KvType::q8, 112, "q8_wide");
}
