// The bindings of sampling: foretell.decoding.fused._sampling.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "sampling/chain.h"
#include "sampling/elementary.h"
#include "sampling/exp.h"
#include "sampling/permutation.h"
#include "sampling/trace.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace foretell {
namespace {

using FloatTable = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using ConstRow = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using FloatRow = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ConstTable = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using ConstDoubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using DoubleRow = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr int64_t kMaxVocab = (int64_t{1} << 19) - 1;  // whose weights cannot overflow their sum

void require(bool holds, const char* what) {
    if (!holds) throw nb::value_error(what);
}

const DenseLoops& loops_of(const std::string& isa) {
    const DenseLoops* loops = find_dense_loops(isa.c_str());
    require(loops, "this machine cannot run that instruction set");
    return *loops;
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (int i = 0; i < num_dense_loops(); ++i) names.push_back(dense_loops_at(i).name);
    return names;
}

void make_chain(SamplingChain* self, int64_t vocab_size, float repetition, float frequency,
                float presence, std::pair<ScopeKind, int64_t> repetition_scope,
                std::pair<ScopeKind, int64_t> count_scope, const std::vector<int32_t>& exempt,
                const std::vector<std::pair<StepKind, double>>& steps, int64_t min_tokens_to_keep,
                bool greedy) {
    require(vocab_size >= 1 && vocab_size <= kMaxVocab, "vocab_size must be in 1 … 524287");
    require(min_tokens_to_keep >= 1, "min_tokens_to_keep must be at least 1");
    std::vector<SamplingStep> list;
    for (const auto& [kind, value] : steps) list.push_back({kind, value});
    const Penalties penalties{repetition,
                              frequency,
                              presence,
                              {repetition_scope.first, repetition_scope.second},
                              {count_scope.first, count_scope.second}};
    new (self)
        SamplingChain(vocab_size, penalties, exempt, std::move(list), min_tokens_to_keep, greedy);
}

void advance(SamplingChain& chain, const std::vector<int32_t>& new_tokens,
             int64_t num_prompt_tokens) {
    for (const int32_t id : new_tokens) require(id >= 0, "a token id is negative");
    const Gate::Visit visit(chain.gate());
    chain.advance(new_tokens, num_prompt_tokens);
}

// A row's token, or the message of what is wrong with it.
using Answer = std::variant<int64_t, std::string>;

Answer answer(const DenseLoops& loops, const SamplingChain& chain, float* row, double uniform) {
    const Gate::Visit visit(chain.gate());
    try {
        return choose_token(loops, chain, row, uniform);
    } catch (const BrokenRow& error) {
        return std::string(error.what());
    }
}

std::vector<Answer> choose(FloatTable logits, const std::vector<int64_t>& rows,
                           const std::vector<const SamplingChain*>& chains,
                           const std::vector<double>& uniforms, const std::string& isa) {
    require(rows.size() == chains.size() && rows.size() == uniforms.size(),
            "one chain and one uniform a row");
    const auto num_rows = static_cast<int64_t>(logits.shape(0));
    const auto vocab_size = static_cast<int64_t>(logits.shape(1));
    for (size_t i = 0; i < rows.size(); ++i) {
        require(rows[i] >= 0 && rows[i] < num_rows, "no such row of logits");
        require(chains[i] && chains[i]->vocab_size() == vocab_size, "a row is not vocab_size long");
        require(uniforms[i] >= 0 && uniforms[i] < 1, "a uniform must be in [0, 1)");
    }
    const DenseLoops& loops = loops_of(isa);
    std::vector<Answer> answers(rows.size());
    nb::gil_scoped_release release;
    for (size_t i = 0; i < rows.size(); ++i) {
        float* row = logits.data() + rows[i] * vocab_size;
        answers[i] = answer(loops, *chains[i], row, uniforms[i]);
    }
    return answers;
}

std::vector<int64_t> kept(FloatRow row, const SamplingChain& chain, const std::string& isa) {
    require(static_cast<int64_t>(row.shape(0)) == chain.vocab_size(),
            "a row is not vocab_size long");
    const Gate::Visit visit(chain.gate());
    return kept_tokens(loops_of(isa), chain, row.data());
}

int64_t draw(FloatRow row, double uniform, const std::string& isa) {
    const auto size = static_cast<int64_t>(row.shape(0));
    require(size >= 1 && size <= kMaxVocab, "a row must have 1 to 524287 logits");
    require(uniform >= 0 && uniform < 1, "a uniform must be in [0, 1)");
    return draw_token(loops_of(isa), row.data(), size, uniform);
}

void apply_to(FloatRow row, const SamplingChain& chain, const std::string& isa) {
    require(static_cast<int64_t>(row.shape(0)) == chain.vocab_size(),
            "a row is not vocab_size long");
    const DenseLoops& loops = loops_of(isa);
    const Gate::Visit visit(chain.gate());
    nb::gil_scoped_release release;
    apply_chain(loops, chain, row.data());
}

// Stages, and tokens, and the interval: see sampling/trace.h.
using Stage = std::tuple<int64_t, double, double>;
using Token = std::tuple<int32_t, int64_t, std::vector<float>, std::vector<double>>;
using Traced = std::tuple<std::vector<Stage>, std::vector<Token>, double, double>;

Traced trace(ConstRow row, const SamplingChain& chain, double uniform, int64_t num_others,
             const std::string& isa) {
    require(static_cast<int64_t>(row.shape(0)) == chain.vocab_size(),
            "a row is not vocab_size long");
    require(uniform >= 0 && uniform < 1, "a uniform must be in [0, 1)");
    require(num_others >= 0 && num_others <= kMaxVocab, "the others must be 0 to 524287");
    const DenseLoops& loops = loops_of(isa);
    const Gate::Visit visit(chain.gate());
    nb::gil_scoped_release release;
    TracedStep step = trace_token(loops, chain, row.data(), uniform, num_others);
    std::vector<Stage> stages;
    for (const TracedStage& stage : step.stages) {
        stages.push_back({stage.num_possible, stage.mass, stage.entropy});
    }
    std::vector<Token> tokens;
    for (TracedToken& token : step.tokens) {
        tokens.push_back(
            {token.id, token.rank, std::move(token.logits), std::move(token.probabilities)});
    }
    return {std::move(stages), std::move(tokens), step.low, step.high};
}

// The number of possible logits, the largest, Σ e^x of each block and Σ x · e^x of all; and the ids
// of the possible ones, if they are at most kFew.
using Sums = std::tuple<int64_t, float, std::vector<double>, double, std::vector<int32_t>>;
constexpr int64_t kFew = 1024;

std::vector<int32_t> few_ids(const DenseLoops& loops, const float* row, int64_t size,
                             const float* maxima, int64_t count) {
    if (count > kFew) return {};
    float logits[kFew + kGroupSize];
    std::vector<int32_t> ids(count + kGroupSize);
    const float lowest = std::numeric_limits<float>::lowest();
    ids.resize(loops.gather(row, size, maxima, lowest, logits, ids.data()));
    return ids;
}

Sums sum_up(FloatRow row, int64_t block, const std::string& isa) {
    require(block >= 1 && block % kGroupSize == 0, "a block must have whole groups");
    require(row.shape(0) >= 1, "a row must have a logit");
    const DenseLoops& loops = loops_of(isa);
    const auto size = static_cast<int64_t>(row.shape(0));
    nb::gil_scoped_release release;
    std::vector<float> maxima(num_groups(size));
    const bool broken = loops.group_maxima(row.data(), size, maxima.data());
    const float largest = *std::max_element(maxima.begin(), maxima.end());
    if (broken || !std::isfinite(largest)) {
        return {0, std::numeric_limits<float>::quiet_NaN(), {}, 0, {}};
    }
    std::vector<double> masses;
    double moment = 0;
    for (int64_t start = 0; start < size; start += block) {
        const int64_t count = std::min(block, size - start);
        const Moments found =
            loops.moments(row.data() + start, count, &maxima[start / kGroupSize], largest, nullptr);
        masses.push_back(found.mass);
        moment += found.moment;
    }
    const int64_t possible = loops.count_possible(row.data(), size, maxima.data());
    auto ids = few_ids(loops, row.data(), size, maxima.data(), possible);
    return {possible, largest, masses, moment, ids};
}

template <double (*function)(double)>
void map(DoubleRow row) {
    nb::gil_scoped_release release;
    for (size_t i = 0; i < row.shape(0); ++i) row.data()[i] = function(row.data()[i]);
}

void largest_products(ConstTable vectors, ConstTable others, FloatRow largest) {
    const size_t count = vectors.shape(0), width = vectors.shape(1);
    require(others.shape(1) == width, "all vectors must have one length");
    require(largest.shape(0) == others.shape(0), "largest must have one number a vector");
    nb::gil_scoped_release release;
    for (size_t i = 0; i < others.shape(0); ++i) {
        float best = -std::numeric_limits<float>::infinity();
        for (size_t j = 0; j < count; ++j) {
            const float* other = others.data() + i * width;
            best = std::max(best, inner_product(vectors.data() + j * width, other,
                                                static_cast<int64_t>(width)));
        }
        largest.data()[i] = best;
    }
}

double divergence_of(ConstDoubles p, ConstRow log_p, ConstRow log_q) {
    const size_t size = p.shape(0);
    require(log_p.shape(0) == size && log_q.shape(0) == size, "all must have one length");
    nb::gil_scoped_release release;
    return divergence(p.data(), log_p.data(), log_q.data(), static_cast<int64_t>(size));
}

}  // namespace

NB_MODULE(_sampling, m) {
    nb::set_leak_warnings(false);  // a chain may live in a traceback when the interpreter ends
    m.doc() = "The fusable sampling chain over rows of logits; see csrc/sampling/chain.h.";
    nb::exception<BrokenRow>(m, "BrokenRow");
    m.def("instruction_sets", &instruction_sets,
          "Names of the instruction sets that this build has and this processor runs, best first.");
    m.def(
        "powers", [] { return std::vector<uint64_t>(std::begin(kPowers), std::end(kPowers)); },
        "Bits of 2 ** (i / 64) as float64: the table behind the weights.");

    m.def(
        "permutation",
        [](uint32_t seed, int32_t size, int32_t count) {
            if (!(0 <= count && count <= size)) throw nb::value_error("0 <= count <= size");
            auto* found = new std::vector<int32_t>(permutation(seed, size, count));
            nb::capsule owner(
                found, [](void* p) noexcept { delete static_cast<std::vector<int32_t>*>(p); });
            return nb::ndarray<nb::numpy, int32_t, nb::ndim<1>>(found->data(), {found->size()},
                                                                owner);
        },
        "seed"_a, "size"_a, "count"_a,
        "The first numbers of torch.randperm(size) with a generator of this seed, modulo 2 ** 32.");

    nb::enum_<ScopeKind>(m, "ScopeKind")
        .value("prompt", ScopeKind::prompt)
        .value("output", ScopeKind::output)
        .value("all", ScopeKind::all)
        .value("last", ScopeKind::last);
    nb::enum_<StepKind>(m, "StepKind")
        .value("temperature", StepKind::temperature)
        .value("top_k", StepKind::top_k)
        .value("top_k_cut", StepKind::top_k_cut)
        .value("top_p", StepKind::top_p)
        .value("min_p", StepKind::min_p);

    nb::class_<SamplingChain>(m, "SamplingChain", "One sequence's settings and token counts.")
        .def("__init__", &make_chain, nb::kw_only(), "vocab_size"_a, "repetition_penalty"_a,
             "frequency_penalty"_a, "presence_penalty"_a, "repetition_scope"_a, "count_scope"_a,
             "exempt"_a, "steps"_a, "min_tokens_to_keep"_a, "greedy"_a)
        .def_prop_ro("num_stages",
                     [](const SamplingChain& chain) {
                         return chain.penalties().size() + chain.steps().size();
                     })
        .def("advance", &advance, "new_tokens"_a, "num_prompt_tokens"_a)
        .def("clear",
             [](SamplingChain& chain) {
                 const Gate::Visit visit(chain.gate());
                 chain.clear();
             })
        .def_prop_ro("num_seen", &SamplingChain::num_seen);

    m.def("choose", &choose, "logits"_a, "rows"_a, "chains"_a, "uniforms"_a, "isa"_a,
          "One token a row, or what is wrong with it; the rows are overwritten.");
    m.def("draw", &draw, "row"_a, "uniform"_a, "isa"_a, "The token at a quantile of the row.");
    m.def("apply", &apply_to, "row"_a, "chain"_a, "isa"_a,
          "Writes what the chain makes of the row, -inf for what it rules out.");
    m.def("trace", &trace, "row"_a, "chain"_a, "uniform"_a, "num_others"_a, "isa"_a,
          "What each stage made of the row; the traced tokens, the chosen one first; and the "
          "interval of the draw.");
    m.def("sum_up", &sum_up, "row"_a, "block"_a, "isa"_a,
          "Logits above -inf, the largest, Σ e^x of each block, and Σ x · e^x of all, with "
          "x = row - largest, never below -64; and the ids of the first, if they are few. The "
          "largest is NaN, and the rest empty, for a row without a finite maximum.");
    m.def("exp", &map<exp_of>, "row"_a.noconvert(), "e^x of each number, in place.");
    m.def("log", &map<log_of>, "row"_a.noconvert(), "ln x of each number, in place.");
    m.def("exp_of", &exp_of, "x"_a, "e^x.");
    m.def("log_of", &log_of, "x"_a, "ln x; NaN below 0.");
    m.def("divergence", &divergence_of, "p"_a, "log_p"_a, "log_q"_a,
          "Σ m · (ln m - (ln p + ln q) / 2), m the mean of p and q; ln m is -85.2 at least, the "
          "other -1e4.");
    m.def("largest_products", &largest_products, "vectors"_a, "others"_a, "largest"_a.noconvert(),
          "The largest inner product of each of the others with any of the vectors.");
    m.def("kept", &kept, "row"_a, "chain"_a, "isa"_a,
          "Ids that the chain leaves possible, ascending; the row is overwritten.");
}

}  // namespace foretell
