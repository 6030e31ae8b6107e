// The bindings, here foretell.backends.native._core: no other folder knows Python.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>

#include "program/program.h"
#include "weights/quantize.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace foretell {
namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Ints = nb::ndarray<const int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
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
                                      int64_t layers, int64_t kv_heads, int64_t head_dim,
                                      int64_t block_size, int64_t num_blocks, KvType kv_type) {
    const Kernels* kernels = find_kernels(isa.c_str());
    require(kernels, "this machine cannot run that instruction set");
    require(threads >= 1 && max_tokens >= 1, "threads and max_tokens must be at least 1");
    const KvShape kv{layers, kv_heads, head_dim, block_size, num_blocks, kv_type};
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

FloatTable read_matrix(const Program& program, int index) {
    const Matrix& matrix = program.matrix(index);
    auto* values = new float[matrix.rows * matrix.cols];
    nb::capsule owner(values, [](void* p) noexcept { delete[] static_cast<float*>(p); });
    for (int64_t row = 0; row < matrix.rows; ++row) {
        program.kernels().decode_row(matrix, row, values + row * matrix.cols);
    }
    return FloatTable(values, {size_t(matrix.rows), size_t(matrix.cols)}, owner);
}

FloatTable forward(nb::handle self, Ints tokens, Ints positions, Ints starts, IntTable tables,
                   Ints logits_indices) {
    Program& program = nb::cast<Program&>(self);
    require(positions.size() == tokens.size(), "one position a token");
    require(starts.size() >= 2 && tables.shape(0) == starts.size() - 1, "one table a sequence");
    const Batch batch{tokens.data(),
                      positions.data(),
                      starts.data(),
                      tables.data(),
                      logits_indices.data(),
                      int64_t(tokens.size()),
                      int64_t(tables.shape(0)),
                      int64_t(tables.shape(1)),
                      int64_t(logits_indices.size())};
    const float* logits = nullptr;
    {
        nb::gil_scoped_release release;
        logits = program.forward(batch);
    }
    return FloatTable(const_cast<float*>(logits),
                      {logits_indices.size(), size_t(program.vocab_size())}, self);
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
        .value("rope_table", OpKind::rope_table)
        .value("rms_norm", OpKind::rms_norm)
        .value("layer_norm", OpKind::layer_norm)
        .value("quantize", OpKind::quantize)
        .value("linear", OpKind::linear)
        .value("rope", OpKind::rope)
        .value("store_kv", OpKind::store_kv)
        .value("attention", OpKind::attention)
        .value("silu_mul", OpKind::silu_mul)
        .value("gelu", OpKind::gelu)
        .value("gather_rows", OpKind::gather_rows);

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

    nb::class_<Program>(m, "Program",
                        "A model as a flat list of kernel calls; see csrc/program/program.h.")
        .def(nb::new_(&make_program), "isa"_a, nb::kw_only(), "threads"_a, "max_tokens"_a,
             "layers"_a, "kv_heads"_a, "head_dim"_a, "block_size"_a, "num_blocks"_a, "kv_type"_a)
        .def("reserve", &Program::reserve, "bytes"_a, "count"_a)
        .def("add_matrix", &add_matrix, "ggml_id"_a, "data"_a.noconvert(), "rows"_a, "cols"_a)
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
               bool interleaved) {
                program.add_op({kind, a, b, c, out, codes, matrix, vector, file_rows, layer, heads,
                                scalar, window, interleaved});
            },
            "kind"_a, nb::kw_only(), "a"_a = -1, "b"_a = -1, "c"_a = -1, "out"_a = -1,
            "codes"_a = -1, "matrix"_a = -1, "file_rows"_a = -1, "vector"_a = -1, "layer"_a = -1,
            "heads"_a = 0, "scalar"_a = 1.0f, "window"_a = 0, "interleaved"_a = false)
        .def("finish", &Program::finish)
        .def("forward", &forward, "tokens"_a, "positions"_a, "starts"_a, "block_tables"_a,
             "logits_indices"_a,
             "Logits (num_logits, vocab_size) of one batch, valid until the next call.")
        .def(
            "copy_blocks",
            [](Program& program, IntTable pairs) {
                require(pairs.shape(1) == 2, "pairs of blocks");
                program.copy_blocks(pairs.data(), pairs.shape(0));
            },
            "pairs"_a)
        .def("read_matrix", &read_matrix, "index"_a, "A packed matrix as float32 (rows, cols).")
        .def(
            "matrix_bytes",
            [](const Program& program, int index) { return program.matrix(index).bytes(); },
            "index"_a)
        .def_prop_ro("vocab_size", &Program::vocab_size);
}

}  // namespace foretell
