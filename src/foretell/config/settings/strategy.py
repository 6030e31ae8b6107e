"""Strategy."""

from __future__ import annotations

from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.ranges import FINITE, MAX_BEAMS, MAX_SAMPLES, MAX_SEED, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.validators import BOOLEAN, CHAIN, DIALECT, EARLY_STOPPING, FUNCTIONS, one_of

HEADING = "Strategy"

ROW_FORMS = ("f(row)", "f(row, history)", "f(input_ids, scores)")
ON_ROWS = (
    "for each token, with a float32 row of vocab_size logits, which it changes in place, or "
    "returns changed; `history.tokens` are all ids so far, `history.num_prompt_tokens` of them the "
    "prompt's. transformers' form, told by the names of its arguments: ids (1, length) and scores "
    "(1, vocab_size), tensors where torch is imported, else arrays; it returns scores"
)

ROWS: dict[str, Setting] = {
    "do_sample": Setting(
        BOOLEAN,
        Kind.STRATEGY,
        "draw tokens, or take the likeliest",
        usual=2,
        note="[default: greedy without sampling settings]",
        aliases=("sample", "sampling", "use_sampling"),
    ),
    "preset": Setting(
        one_of(*PRESETS, MODEL_PRESET),
        Kind.STRATEGY,
        "settings for a task; what is set outright wins",
        usual=12,
    ),
    "dialect": Setting(
        DIALECT,
        Kind.STRATEGY,
        "whose order, ties, scopes and defaults the settings have",
    ),
    "seed": Setting(
        Range(int, 0, MAX_SEED, "fixes every random draw"),
        Kind.RUN,
        formula="draw = Philox(seed, sequence, position)",
        source="Salmon et al. 2011",
        usual=11,
        note="[default: another one each time, which is shown]",
        aliases=("random_seed", "rng_seed", "sampling_seed", "manual_seed", "random_state"),
    ),
    "num_return_sequences": Setting(
        Range(int, 1, MAX_SAMPLES, "samples of one prompt", neutral=1),
        Kind.RUN,
        low="one text",
        high="many texts, for which the prompt is computed once",
        formula="sample i draws from the stream (seed, i)",
        source="transformers",
        with_others="above 1 contradicts greedy decoding, which writes one text; "
        "must not be above num_beams where that is above 1",
        multiplies_sequences=True,
        aliases=(
            "n",
            "num_samples",
            "num_sequences",
            "num_hypotheses",
            "num_completions",
            "candidate_count",
        ),
        note="[default: 1]",
        short="-n",
    ),
    "num_beams": Setting(
        Range(
            int,
            1,
            MAX_BEAMS,
            "continuations kept side by side; 1 is no beam search",
            (1, 20),
            neutral=1,
        ),
        Kind.STRATEGY,
        low="one line of tokens",
        high="likelier whole texts, at the cost of so many sequences",
        formula="keep the best num_beams of all continuations by sum of log p",
        source="transformers",
        multiplies_sequences=True,
        makes_samples_differ=True,
        on_when="above 1",
        aliases=("beam_width", "beam_size", "n_beams"),
    ),
    "length_penalty": Setting(
        Range(
            float, -FINITE, FINITE, "power of the length that a beam's score is divided by", (-2, 5)
        ),
        Kind.DETAIL,
        low="short texts win",
        high="long texts win",
        formula="score = sum of log p / length ** length_penalty",
        source="Wu et al. 2016, as in transformers",
        needs=("num_beams",),
        aliases=("beam_alpha",),
    ),
    "early_stopping": Setting(
        EARLY_STOPPING,
        Kind.DETAIL,
        "when a beam search ends: on (as soon as there are num_beams texts), off (when better ones "
        "are unlikely) or never (only when there can be none)",
        source="transformers",
        needs=("num_beams",),
    ),
    "processors": Setting(
        CHAIN,
        Kind.STRATEGY,
        "the whole chain, by names of settings, in this order",
        with_others="must name every setting that is on; contradicts logits_processor",
        forms=ROW_FORMS,
        called=ON_ROWS,
        code="""\
def halve(row):
    row /= 2

chain = ["top_k", halve, "temperature"]
llm.generate("Once", processors=chain, top_k=20, temperature=0.8)
""",
        aliases=("samplers", "sampler_order", "sampler_seq"),
    ),
    "logits_processor": Setting(
        FUNCTIONS,
        Kind.CUSTOM,
        "functions on a row of logits, before the samplers",
        with_others="contradicts processors: put all in one",
        forms=ROW_FORMS,
        called=ON_ROWS,
        code="""\
newline = llm.tokenizer.encode("\\n", add_special_tokens=False)[-1]

def no_newline_twice(row, history):
    if history.tokens[-1] == newline:
        row[newline] = -float("inf")

llm.generate("Once", logits_processor=no_newline_twice, max_new_tokens=20)
""",
        aliases=("logits_processors", "logit_processor"),
    ),
    "remove_invalid_values": Setting(
        BOOLEAN,
        Kind.REPAIR,
        "replace NaN and infinite logits instead of failing",
    ),
    "renormalize_logits": Setting(
        BOOLEAN,
        Kind.REPAIR,
        "end the chain with a log-softmax",
        formula="x - ln Σ exp(x)",
    ),
}
