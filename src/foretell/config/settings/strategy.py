"""Strategy."""

from __future__ import annotations

from foretell.config.presets import MODEL_PRESET, PRESETS
from foretell.config.ranges import FINITE, MAX_BEAMS, MAX_SAMPLES, MAX_SEED, Range
from foretell.config.settings.setting import Kind, Setting
from foretell.config.values import (
    BOOLEAN,
    CHAIN,
    DIALECT,
    EARLY_STOPPING,
    FUNCTIONS,
    LAYERS,
    WORDS,
    one_of,
)

HEADING = "Strategy"

ONE_SEARCH = "a search is of one kind: diverse, constrained or stochastic"
ALL_END = "stochastic beams are drawn, and go on until each has ended"

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
    "speculate": Setting(
        BOOLEAN,
        Kind.RUN,
        "whether tokens of this text may be guessed ahead, which changes none of them; on where "
        "the model was opened with speculation, and where a form leaves no choice",
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
    "patience": Setting(
        Range(
            float,
            0.0,
            MAX_BEAMS,
            "a beam search ends with patience · num_beams texts",
            (0.5, 10),
            open_low=True,
        ),
        Kind.DETAIL,
        low="ends with the first texts",
        high="goes on for better ones",
        formula="end as soon as there are patience · num_beams texts",
        source="Kasai et al. 2022, arXiv 2204.05424",
        with_others="at 1 it is early_stopping=True; contradicts early_stopping='never'; a group "
        "of beams ends with its share of the texts",
        needs=("num_beams",),
        aliases=("patience_factor", "beam_patience"),
    ),
    "num_beam_groups": Setting(
        Range(int, 1, MAX_BEAMS, "groups that the beams are shared by", neutral=1),
        Kind.STRATEGY,
        low="one search of all beams",
        high="texts that differ more: each group keeps off what those before it say",
        source="Vijayakumar et al. 2016, arXiv 1610.02424, as in transformers",
        needs=("num_beams",),
        on_when="above 1",
        with_others="must divide num_beams; needs diversity_penalty; contradicts sampling",
        not_with={"force_words": ONE_SEARCH, "stochastic_beams": ONE_SEARCH},
        code="""\
outputs = llm.generate(
    "The cat sat on the",
    num_beams=6,
    num_beam_groups=3,
    diversity_penalty=1.0,
    num_return_sequences=6,
    max_new_tokens=12,
)
for output in outputs:
    print(f"{output.score:.2f} {output.text!r}")
""",
        aliases=("num_groups", "beam_groups", "n_groups"),
    ),
    "diversity_penalty": Setting(
        Range(
            float,
            0.0,
            FINITE,
            "taken off a token for each beam of an earlier group that has just said it",
            (0, 10),
            neutral=0,
        ),
        Kind.PENALTY,
        low="groups that say the same",
        high="groups that never say the same at the same place",
        formula="x - diversity_penalty · (times that earlier groups have just said the token)",
        source="Vijayakumar et al. 2016, arXiv 1610.02424, as in transformers",
        needs=("num_beam_groups",),
        aliases=("diversity_strength", "diverse_beam_strength"),
    ),
    "force_words": Setting(
        WORDS,
        Kind.STRATEGY,
        "texts, or sequences of token ids, that must all be written, in any order; of several in a "
        "list one is enough",
        needs=("num_beams",),
        source="Post and Vilar 2018, arXiv 1804.06609; banks as in transformers",
        with_others="contradicts sampling; a text is looked for as it is, and with a space before "
        "it",
        not_with={"stochastic_beams": ONE_SEARCH},
        code="""\
output = llm.generate(
    "The cat sat on the",
    num_beams=4,
    force_words=["garden", ["dog", "dogs"]],  # both; of the second either
    max_new_tokens=16,
)
print(output.text)
""",
        aliases=("force_words_ids", "forced_words", "lexical_constraints"),
    ),
    "stochastic_beams": Setting(
        BOOLEAN,
        Kind.STRATEGY,
        "draw num_beams different texts: a sample without replacement",
        needs=("num_beams",),
        formula="the num_beams greatest of log p + Gumbel noise; included with "
        "probability 1 - exp(-exp(log p - κ)), κ the greatest left out",
        source="Kool et al. 2019, arXiv 1903.06059",
        with_others="contradicts greedy decoding; of samplers the draws are what they leave",
        not_with={"length_penalty": ALL_END, "early_stopping": ALL_END, "patience": ALL_END},
        code="""\
outputs = llm.generate(
    "The cat sat on the",
    stochastic_beams=True,
    num_beams=8,
    num_return_sequences=8,
    max_new_tokens=5,
    seed=1,
)
for output in outputs:
    print(f"{output.inclusion_probability:.2f} {output.text!r}")
""",
        aliases=("stochastic_beam_search",),
    ),
    "penalty_alpha": Setting(
        Range(
            float,
            0.0,
            1.0,
            "contrastive search among top_k candidates: the weight of likeness to what was "
            "written; 0 is off",
            (0.1, 0.9),
            neutral=0,
        ),
        Kind.STRATEGY,
        low="greedy",
        high="unlike what was written, however unlikely",
        formula="take the max of (1 - α) · p - α · s among the top_k likeliest, where s is the "
        "largest cosine of its last hidden state with those before",
        source="Su et al. 2022, arXiv 2202.06417, as in transformers",
        not_with={
            "num_beams": "a text is searched for in one way",
            "guidance_scale": "it takes two sequences for one text",
        },
        with_others="must have top_k, of 2 or more; contradicts what samples, since nothing is "
        "drawn",
        multiplies_sequences=True,
        on_when="above 0",
        aliases=("contrastive_alpha",),
    ),
    "dola_layers": Setting(
        LAYERS,
        Kind.STRATEGY,
        "contrast the last layer with an early one: low, high or numbers of layers",
        formula="ln p - ln q where p ≥ 0.1 · max p; q is what one of the layers would say, the one "
        "that differs most",
        source="Chuang et al. 2023, arXiv 2309.03883, as in transformers",
        not_with={
            "num_beams": "a text is searched for in one way",
            "guidance_scale": "both change the row before all else",
            "penalty_alpha": "a text is searched for in one way",
        },
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
