// The bindings, here foretell.backends.native._core: no other folder knows Python.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "program/program.h"
#include "weights/quantize.h"
#include "weights/words.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace foretell {
namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Halves = nb::ndarray<const uint16_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using IntTable = nb::ndarray<const int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using MutableBytes = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using FloatTable = nb::ndarray<nb::numpy, float, nb::ndim<2>, nb::c_contig>;

const FileType& file_type(int ggml_id) {
    const FileType* type = find_file_type(ggml_id);
    if (!type) throw nb::value_error("unknown ggml type");
    return *type;
}

void require(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

void require_block(const Program& program, size_t bytes) {
    require(bytes == static_cast<size_t>(program.block_bytes()), "a KV block's bytes, all of them");
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (int i = 0; i < num_kernels(); ++i) names.push_back(kernels_at(i).name);
    return names;
}

int64_t kv_bytes_per_position(KvType type, int64_t kv_heads, int64_t head_dim) {
    return KvLayer{nullptr, type, kv_heads, head_dim, 0, 0}.position_bytes();
}

size_t packed_bytes(int ggml_id, int64_t rows, int64_t cols) {
    return Matrix{file_type(ggml_id).format, rows, cols}.bytes();
}

std::unique_ptr<Program> make_program(const std::string& isa, int threads, int64_t max_tokens,
                                      const std::vector<std::pair<int64_t, int64_t>>& kv_layers,
                                      int64_t block_size, int64_t num_blocks, KvType kv_type,
                                      int64_t state_size) {
    const Kernels* kernels = find_kernels(isa.c_str());
    require(kernels, "this machine cannot run that instruction set");
    require(threads >= 1 && max_tokens >= 1, "threads and max_tokens must be at least 1");
    KvShape kv{{}, block_size, num_blocks, kv_type, state_size};
    for (const auto& [heads, dim] : kv_layers) kv.layers.push_back({heads, dim});
    return std::make_unique<Program>(*kernels, threads, max_tokens, kv);
}

// Nothing here overflows, whatever the shape: a row of more bytes than there are is refused first.
void check_shape(const FileType& type, const Bytes& data, int64_t rows, int64_t cols) {
    const std::string matrix = "the " + std::string(type.name) + " matrix";
    require(rows >= 1 && cols >= 1 && cols % type.block_size == 0,
            ("impossible shape of " + matrix).c_str());
    const size_t blocks = cols / type.block_size, row_bytes = blocks * type.block_bytes;
    require(blocks <= data.size() / type.block_bytes && data.size() % row_bytes == 0 &&
                data.size() / row_bytes == static_cast<size_t>(rows),
            (matrix + "'s bytes do not match its shape").c_str());
}

int add_matrix(Program& program, int ggml_id, Bytes data, int64_t rows, int64_t cols) {
    const FileType& type = file_type(ggml_id);
    check_shape(type, data, rows, cols);
    return program.add_matrix(type, data.data(), rows, cols, std::make_shared<Bytes>(data));
}

int add_stack(Program& program, int ggml_id, int64_t rows, int64_t cols) {
    const FileType& type = file_type(ggml_id);
    require(rows >= 1 && cols >= 1 && cols % type.block_size == 0,
            ("impossible shape of the " + std::string(type.name) + " matrix").c_str());
    return program.add_stack(type, rows, cols);
}

void fill(Program& program, int stack, int64_t begin, int ggml_id, Bytes data, int64_t rows) {
    const FileType& type = file_type(ggml_id);
    check_shape(type, data, rows, program.matrix(stack).cols);
    program.fill(stack, begin, type, data.data(), rows, std::make_shared<Bytes>(data));
}

int add_file_rows(Program& program, int ggml_id, Bytes data, int64_t rows, int64_t cols) {
    const FileType& type = file_type(ggml_id);
    check_shape(type, data, rows, cols);
    return program.add_file_rows(type, data.data(), rows, cols, std::make_shared<Bytes>(data));
}

void quantize(FloatType source, Bytes weights, CodeType target, MutableBytes blocks) {
    const size_t block_bytes = target == CodeType::q8 ? kQ8BlockBytes : kQ4BlockBytes;
    const size_t group_bytes = source == FloatType::float32 ? 128 : 64;
    const size_t groups = weights.size() / group_bytes;
    require(weights.size() == groups * group_bytes && blocks.size() == groups * block_bytes,
            "weights and blocks must be as many groups of 32");
    Flaw flaw;
    {
        nb::gil_scoped_release release;
        flaw = quantize_groups(source, weights.data(), groups, target, blocks.data());
    }
    require(flaw != Flaw::not_finite, "holds NaN or infinite weights");
    require(flaw != Flaw::too_large, "holds weights too large to be quantized");
}

// Blocks of `ggml_id` from a matrix's words, scales and zeros: see PackedWords. `inputs` and
// `zeros` are empty where there are none.
void blocks_of_words(WordOrder order, int bits, Words words, Ints inputs, Halves scales,
                     Bytes zeros, int ggml_id, int64_t rows, MutableBytes blocks) {
    const FileType& type = file_type(ggml_id);
    require(rows >= 1 && scales.size() % rows == 0 && scales.size() > 0, "scales for each row");
    const int64_t cols = blocks.size() / type.block_bytes * type.block_size / rows;
    const int64_t groups = scales.size() / rows;
    require(bits == 2 || bits == 3 || bits == 4 || bits == 8, "codes have 2, 3, 4 or 8 bits");
    require(order != WordOrder::rows_interleaved || (bits == 4 && rows % 8 == 0),
            "interleaved codes have 4 bits, of eight rows");
    require(!type.format.is_float() && (type.format.scales == Scales::half) &&
                (!type.format.has_minimum || type.format.has_zero) && type.block_size <= 128 &&
                bits <= type.format.bits(),
            "no blocks for such words");
    require(cols >= 32 && cols % groups == 0 && cols / groups % type.block_size == 0 &&
                blocks.size() == size_t(rows * (cols / type.block_size) * type.block_bytes),
            "blocks and groups do not fit");
    require(words.size() == size_t(num_words(order, bits, rows, cols)) &&
                (inputs.size() == 0 || inputs.size() == size_t(cols)) &&
                (!type.format.has_zero || zeros.size() == scales.size()),
            "words, zeros or inputs do not fit");
    for (size_t i = 0; i < inputs.size(); ++i) {
        require(inputs.data()[i] >= 0 && inputs.data()[i] < cols, "an input that is not there");
    }
    const PackedWords from{
        words.data(),  order,        bits, inputs.size() ? inputs.data() : nullptr,
        scales.data(), zeros.data(), rows, cols,
        cols / groups};
    nb::gil_scoped_release release;
    make_blocks(from, type, 0, rows, blocks.data());
}

FloatTable read_matrix(const Program& program, int index) {
    const Matrix& matrix = program.matrix(index);
    auto* values = new float[matrix.rows * matrix.cols];
    nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    for (int64_t row = 0; row < matrix.rows; ++row) {
        program.kernels().decode_row(matrix, row, values + row * matrix.cols);
    }
    return FloatTable(values, {size_t(matrix.rows), size_t(matrix.cols)}, owner);
}

Batch batch_of(const Ints& tokens, const Ints& positions, const Ints& starts,
               const IntTable& tables, const Ints& logits_indices) {
    require(positions.size() == tokens.size(), "one position a token");
    require(starts.size() >= 2 && tables.shape(0) == starts.size() - 1, "one table a sequence");
    return {tokens.data(),
            positions.data(),
            starts.data(),
            tables.data(),
            logits_indices.data(),
            int64_t(tokens.size()),
            int64_t(tables.shape(0)),
            int64_t(tables.shape(1)),
            int64_t(logits_indices.size())};
}

FloatTable forward(nb::handle self, Ints tokens, Ints positions, Ints starts, IntTable tables,
                   Ints logits_indices) {
    Program& program = nb::cast<Program&>(self);
    const Batch batch = batch_of(tokens, positions, starts, tables, logits_indices);
    const float* logits = nullptr;
    {
        nb::gil_scoped_release release;
        logits = program.forward(batch);
    }
    return FloatTable(const_cast<float*>(logits),
                      {logits_indices.size(), size_t(program.vocab_size())}, self);
}

std::tuple<FloatTable, FloatTable, FloatTable> forward_with_states(
    nb::handle self, Ints tokens, Ints positions, Ints starts, IntTable tables, Ints logits_indices,
    Ints hidden_indices, IntTable early) {
    Program& program = nb::cast<Program&>(self);
    require(early.shape(1) == 2, "pairs of a row and a layer");
    const Batch batch = batch_of(tokens, positions, starts, tables, logits_indices);
    const StatesAsked asked{hidden_indices.data(), early.data(), int64_t(hidden_indices.size()),
                            int64_t(early.shape(0))};
    const float* logits = nullptr;
    {
        nb::gil_scoped_release release;
        logits = program.forward(batch, asked);
    }
    const size_t vocabulary = program.vocab_size(), width = program.hidden_width();
    float* none = const_cast<float*>(logits);
    return {FloatTable(none, {logits_indices.size(), vocabulary}, self),
            FloatTable(asked.num_hidden ? program.hidden_states() : none,
                       {hidden_indices.size(), width}, self),
            FloatTable(asked.num_early ? program.early_logits() : none,
                       {early.shape(0), vocabulary}, self)};
}

}  // namespace

NB_MODULE(_core, m) {
    m.doc() = "The kernels, and the program that calls them.";
    m.def("instruction_sets", &instruction_sets,
          "Names of the instruction sets that this build has and this processor runs, best first.");
    m.def("measure_bandwidth", &measure_bandwidth, "threads"_a,
          nb::call_guard<nb::gil_scoped_release>(),
          "Bytes per second that this many threads read together from main memory.");

    m.def("give_back_freed", &give_back_freed, nb::call_guard<nb::gil_scoped_release>(),
          "Give memory that was freed, and that the C library keeps, back to the system.");

    nb::enum_<OpKind>(m, "OpKind")
        .value("embed", OpKind::embed)
        .value("add_positions", OpKind::add_positions)
        .value("scale", OpKind::scale)
        .value("add", OpKind::add)
        .value("clamp", OpKind::clamp)
        .value("softcap", OpKind::softcap)
        .value("rope_table", OpKind::rope_table)
        .value("rms_norm", OpKind::rms_norm)
        .value("layer_norm", OpKind::layer_norm)
        .value("quantize", OpKind::quantize)
        .value("permute", OpKind::permute)
        .value("join_heads", OpKind::join_heads)
        .value("linear", OpKind::linear)
        .value("linear_heads", OpKind::linear_heads)
        .value("rope", OpKind::rope)
        .value("store_kv", OpKind::store_kv)
        .value("attention", OpKind::attention)
        .value("silu_mul", OpKind::silu_mul)
        .value("gelu", OpKind::gelu)
        .value("gelu_erf", OpKind::gelu_erf)
        .value("relu", OpKind::relu)
        .value("relu_squared", OpKind::relu_squared)
        .value("sigmoid", OpKind::sigmoid)
        .value("gather_rows", OpKind::gather_rows)
        .value("causal_conv", OpKind::causal_conv)
        .value("gated_conv", OpKind::gated_conv)
        .value("selective_scan", OpKind::selective_scan)
        .value("delta_rule", OpKind::delta_rule)
        .value("keep_rows", OpKind::keep_rows)
        .value("route", OpKind::route)
        .value("dispatch", OpKind::dispatch)
        .value("experts", OpKind::experts)
        .value("combine", OpKind::combine)
        .value("add_gated", OpKind::add_gated)
        .value("clamped_swiglu", OpKind::clamped_swiglu)
        .value("xielu", OpKind::xielu);

    nb::enum_<Scoring>(m, "Scoring")
        .value("softmax", Scoring::softmax)
        .value("chosen_softmax", Scoring::chosen_softmax)
        .value("sigmoid", Scoring::sigmoid)
        .value("sparse_mixer", Scoring::sparse_mixer);

    nb::class_<Routing>(m, "Routing",
                        "How a token's experts are chosen; see csrc/kernels/kernels.h.")
        .def(
            "__init__",
            [](Routing* self, int experts, int used, Scoring scoring, bool normalizes, int groups,
               int groups_used, int group_best, float factor, float eps, float threshold) {
                new (self) Routing{experts,     used,       scoring, normalizes, groups,
                                   groups_used, group_best, factor,  eps,        threshold};
            },
            "experts"_a, "used"_a, "scoring"_a, nb::kw_only(), "normalizes"_a = false,
            "groups"_a = 1, "groups_used"_a = 1, "group_best"_a = 1, "factor"_a = 1.0f,
            "eps"_a = 1e-20f, "threshold"_a = 0.0f)
        .def_ro("experts", &Routing::experts)
        .def_ro("used", &Routing::used)
        .def_ro("scoring", &Routing::scoring);

    nb::enum_<KvType>(m, "KvType")
        .value("float32", KvType::float32)
        .value("float16", KvType::float16)
        .value("bfloat16", KvType::bfloat16)
        .value("q8", KvType::q8);

    m.def("kv_bytes_per_position", &kv_bytes_per_position, "kv_type"_a, "kv_heads"_a, "head_dim"_a,
          "Bytes of one layer's keys and values at one position.");

    m.def("packed_bytes", &packed_bytes, "ggml_id"_a, "rows"_a, "cols"_a,
          "Bytes of a matrix of this type, once it is packed.");

    nb::enum_<FloatType>(m, "FloatType")
        .value("float32", FloatType::float32)
        .value("float16", FloatType::float16)
        .value("bfloat16", FloatType::bfloat16);

    nb::enum_<CodeType>(m, "CodeType").value("q8", CodeType::q8).value("q4", CodeType::q4);

    m.def("quantize", &quantize, "source"_a, "weights"_a, "target"_a, "blocks"_a,
          "Quantize runs of 32 weights into blocks of GGUF's Q8_0 or Q4_1.");

    nb::enum_<WordOrder>(m, "WordOrder")
        .value("inputs_down", WordOrder::inputs_down)
        .value("inputs_along", WordOrder::inputs_along)
        .value("rows_interleaved", WordOrder::rows_interleaved);

    m.def("blocks_of_words", &blocks_of_words, "order"_a, "bits"_a, "words"_a, "inputs"_a,
          "scales"_a, "zeros"_a, "ggml_id"_a, "rows"_a, "blocks"_a,
          "Bring integer codes, kept in 32-bit words, into blocks; see csrc/weights/words.h.");

    nb::class_<Program>(m, "Program",
                        "A model as a flat list of kernel calls; see csrc/program/program.h.")
        .def(nb::new_(&make_program), "isa"_a, nb::kw_only(), "threads"_a, "max_tokens"_a,
             "kv_layers"_a, "block_size"_a, "num_blocks"_a, "kv_type"_a, "state_size"_a = 0)
        .def("reserve", &Program::reserve, "bytes"_a, "count"_a)
        .def("add_matrix", &add_matrix, "ggml_id"_a, "data"_a.noconvert(), "rows"_a, "cols"_a)
        .def("add_stack", &add_stack, "ggml_id"_a, "rows"_a, "cols"_a)
        .def("fill", &fill, "stack"_a, "begin"_a, "ggml_id"_a, "data"_a.noconvert(), "rows"_a)
        .def("pack", &Program::pack, nb::call_guard<nb::gil_scoped_release>())
        .def("add_file_rows", &add_file_rows, "ggml_id"_a, "data"_a.noconvert(), "rows"_a, "cols"_a)
        .def("are_finite", &Program::are_finite, "file_rows"_a, "begin"_a, "end"_a,
             nb::call_guard<nb::gil_scoped_release>())
        .def(
            "add_vector",
            [](Program& program, Floats values) {
                return program.add_vector(values.data(), values.size());
            },
            "values"_a)
        .def("add_buffer", &Program::add_buffer, "width"_a, "per_output"_a)
        .def("add_codes", &Program::add_codes, "width"_a, "per_output"_a)
        .def(
            "add_op",
            [](Program& program, OpKind kind, int a, int b, int c, int out, int codes, int matrix,
               int file_rows, int vector, int layer, int heads, float scalar, int window,
               float softcap, int slopes, bool rounds_slopes, bool interleaved, int state,
               int state_size, const Routing* routing) {
                program.add_op({kind,
                                a,
                                b,
                                c,
                                out,
                                codes,
                                matrix,
                                vector,
                                file_rows,
                                layer,
                                heads,
                                scalar,
                                window,
                                softcap,
                                slopes,
                                rounds_slopes,
                                interleaved,
                                state,
                                state_size,
                                false,
                                routing ? *routing : Routing{}});
            },
            "kind"_a, nb::kw_only(), "a"_a = -1, "b"_a = -1, "c"_a = -1, "out"_a = -1,
            "codes"_a = -1, "matrix"_a = -1, "file_rows"_a = -1, "vector"_a = -1, "layer"_a = -1,
            "heads"_a = 0, "scalar"_a = 1.0f, "window"_a = 0, "softcap"_a = 0.0f, "slopes"_a = -1,
            "rounds_slopes"_a = false, "interleaved"_a = false, "state"_a = -1, "state_size"_a = 0,
            "routing"_a.none() = nb::none())
        .def("finish", &Program::finish)
        .def("forward", &forward, "tokens"_a, "positions"_a, "starts"_a, "block_tables"_a,
             "logits_indices"_a,
             "Logits (num_logits, vocab_size) of one batch, valid until the next call.")
        .def("forward_with_states", &forward_with_states, "tokens"_a, "positions"_a, "starts"_a,
             "block_tables"_a, "logits_indices"_a, "hidden_indices"_a, "early"_a,
             "Logits of one batch, last hidden states (H, width) of some of its tokens, and logits "
             "(P, vocab_size) as of early layers; valid until the next call.")
        .def(
            "copy_blocks",
            [](Program& program, IntTable pairs) {
                require(pairs.shape(1) == 2, "pairs of blocks");
                program.copy_blocks(pairs.data(), pairs.shape(0));
            },
            "pairs"_a)
        .def(
            "read_block",
            [](Program& program, int32_t block, MutableBytes bytes) {
                require_block(program, bytes.size());
                program.read_block(block, bytes.data());
            },
            "block"_a, "bytes"_a, "Fill `bytes` with those of a KV block.")
        .def(
            "write_block",
            [](Program& program, int32_t block, Bytes bytes, int32_t end) {
                require_block(program, bytes.size());
                program.write_block(block, bytes.data(), end);
            },
            "block"_a, "bytes"_a, "end"_a,
            "Fill a KV block with bytes; `end` is the position after its last one.")
        .def_prop_ro("block_bytes", &Program::block_bytes)
        .def("read_matrix", &read_matrix, "index"_a, "A packed matrix as float32 (rows, cols).")
        .def(
            "matrix_bytes",
            [](const Program& program, int index) { return program.matrix(index).bytes(); },
            "index"_a)
        .def_prop_ro("vocab_size", &Program::vocab_size);
}

}  // namespace foretell
