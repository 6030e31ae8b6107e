"""LLM: a model and its tokenizer, ready to write. Start reading here.

prompts + settings → `Job`s → `Engine` → events → `Chunk`s → `GenerationOutput`s
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, Unpack, overload

from foretell.analysis.continuations import continuations_of, one_or_all, score_continuations
from foretell.analysis.probabilities import PromptProbe, next_probe, score_probe
from foretell.analysis.tasks import Analysis, Finished, Tasks, advance, jobs_of
from foretell.backends.base import Backend, BackendInfo
from foretell.backends.native.options import Activations, KVDtype, Quantize
from foretell.config import GenerationConfig
from foretell.config.choices import Several
from foretell.config.defaults import (
    ALTERNATIVES_TOKENS,
    CHAT_TOKENS,
    NUM_ALTERNATIVES,
    NUM_NEXT,
    NUM_SEEDS,
    PART_ROWS,
)
from foretell.config.foreign_names import refuses_unknown
from foretell.config.typed import GenerationSettings, SampleSettings
from foretell.engine.client import CLOSED, EngineClient
from foretell.engine.engine import Engine
from foretell.engine.settings import EngineSettings
from foretell.engine.stats import EngineStats
from foretell.errors import RequestError
from foretell.hub import DEFAULT_MODEL
from foretell.inputs.beginnings import beginning_of
from foretell.inputs.chat_settings import ChatSampleSettings, ChatSettings
from foretell.inputs.processor import InputProcessor, PreparedPrompts
from foretell.inputs.prompts import Prompt, Prompts
from foretell.loading.drafters import make_drafter
from foretell.loading.load import load_model
from foretell.loading.model_files import ModelFiles
from foretell.loading.options import (
    AdapterNames,
    BackendName,
    ModelOptions,
    PrefixNames,
    Speculation,
)
from foretell.loading.origin import ModelOrigin
from foretell.outputs import (
    BatchSummary,
    Chunk,
    ContinuationScore,
    GenerationOutput,
    KeptPrefix,
    NextDistribution,
    Score,
)
from foretell.streaming.progress import progress_of
from foretell.streaming.run import collect_outputs, run_prompt_only, stream_jobs
from foretell.utils.notices import caution
from foretell.utils.short_repr import short_repr

if TYPE_CHECKING:
    from foretell.analysis.alternatives import Alternatives
    from foretell.analysis.beam_tree import BeamTree
    from foretell.analysis.choice import Answer, SampleChoice, Utility
    from foretell.analysis.compare import Comparison
    from foretell.analysis.explain import Explanation
    from foretell.analysis.replay import Replay
    from foretell.analysis.watermark import WatermarkEvidence
    from foretell.config.validators import Watermark
    from foretell.prefixes.keeping import Runner
    from foretell.receipts.receipt import Receipt
    from foretell.text.tokenizer import Tokenizer

NO_SETTINGS: Mapping[str, Any] = {}

NOT_PICKLED = (
    "cannot be pickled or copied, since it holds a model's memory and threads: make one in each "
    "process"
)

T = TypeVar("T")


@dataclass(frozen=True)
class OpenLLM:
    """What an LLM runs with as long as it is open.

    Attributes:
        backend: runs the model.
        engine: runs the requests.
        client: takes requests, and gives their events.
        inputs: makes requests of prompts and settings.
        origin: makes receipts.
        files: what the model was read from; None if it was given as an object.
    """

    backend: Backend
    engine: Engine
    client: EngineClient
    inputs: InputProcessor
    origin: ModelOrigin
    files: ModelFiles | None = None


class LLM:
    """A causal language model.

        llm = LLM()
        print(llm.generate("The cat sat on the", max_new_tokens=20).text)

    Threads may share it: their requests run in the same steps, and each gets what it would get
    alone. A forked process may go on with it, unless it runs on torch; it cannot be pickled. What a
    step calls (a logits processor, say) cannot ask it in turn. `close()`, or leaving a `with`
    block, lets go of its memory. Until then a model's file may be deleted or replaced by another
    of its name (`os.replace`), as a download does, but not written to in place or cut short: rows
    of its embeddings may still be read from it.

    Attributes:
        info: what runs the model, and what it can hold.
        tokenizer: the tokenizer in use.
        recommended: the settings that the model's own files recommend; `preset="model"` takes them.
        generation_config: what its generation_config.json says as a whole, for `generate()`.

    Args:
        model: a known name (`foretell models`), the path of a GGUF file or of a checkpoint's
            folder, a Hugging Face id, a model of transformers, or a `Backend`.
        tokenizer: in place of the model's own: foretell's, or one of transformers. Required with a
            model that is given as an object.
        backend: "native" or "transformers"; "auto" is native where that knows the model.
        quantize: pack float weights as 8-bit ("q8") or 4-bit codes ("q4").
        adapters: LoRA adapters to merge into the weights: the path of a folder of PEFT's or of a
            GGUF file, a list of them, or `{path: weight}` for a part of each.
        revision: branch, tag or commit of a Hugging Face id.
        device, dtype: where transformers is to compute ("cpu", "cuda", "mps"), and in what
            ("float32", "bfloat16", "float16"); not given: on an accelerator if there is one, in the
            checkpoint's own. With "auto" they choose transformers.
        threads: threads that compute; None for all physical cores.
        activations: "int8" is fast; "float32" multiplies exactly.
        kv_dtype: how keys and values are kept: "float16", "bfloat16", "float32", or "q8", int8 with
            scales: half of float16's memory, and faster where the context is long. It moves
            the next token little more than float32 does: docs/decisions/0032 has how far.
        context_length: most positions of one sequence; None for the model's own.
        num_blocks, kv_share: the size of the KV pool, in blocks or as a share (up to 0.95) of the
            memory that is available now; neither: room for two full contexts, or more where these
            are short, but no more than half of what the weights leave of that memory. A sequence is
            as long as the pool at most.
        speculation: what guesses tokens ahead, so that a step can give several. It changes the
            speed and nothing else: what is generated is the same, bit by bit (on transformers, but
            for rounding). "lookup" takes prompt and output to repeat themselves; a draft model,
            `{"draft_model": NAME}`, is smaller and has the same vocabulary; `{"corpus": TEXTS}`
            are looked up too. "auto" is "lookup" on the native backend. Beams, and requests with
            functions of yours, go without; `usage.speculation_off` says so.
        prefixes: files that `save_prefix` wrote, to be loaded at once: see `load_prefix`.
        max_batch_tokens, max_running, max_waiting, prefix_caching: see `EngineSettings`. None of
            them changes what is generated.

    Raises:
        ModelNotFoundError, DownloadError: there is no such model, or it could not be fetched.
        ModelFileError, UnsupportedModelError: its file is damaged, or of an unknown kind.
        ConfigError: an argument has no meaning here, or (UnknownNameError) there is none such.
    """

    @refuses_unknown("argument")
    def __init__(  # noqa: PLR0913
        self,
        model: str | os.PathLike[str] | Backend | Any = DEFAULT_MODEL,
        *,
        tokenizer: Tokenizer | Any | None = None,
        backend: BackendName = "auto",
        quantize: Quantize | None = None,
        adapters: AdapterNames = (),
        revision: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        activations: Activations = "int8",
        kv_dtype: KVDtype = "float16",
        context_length: int | None = None,
        num_blocks: int | None = None,
        kv_share: float | None = None,
        speculation: Speculation = "auto",
        prefixes: PrefixNames = (),
        max_batch_tokens: int | None = None,
        max_running: int = 256,
        max_waiting: int | None = None,
        prefix_caching: bool = True,
    ) -> None:
        arguments = locals()  # each option is an argument of its name
        settings = EngineSettings(max_batch_tokens, max_running, max_waiting, prefix_caching)
        options = ModelOptions(**{item.name: arguments[item.name] for item in fields(ModelOptions)})
        loaded = load_model(model, tokenizer, options)
        self.recommended = loaded.recommended
        self.generation_config = loaded.generation_config
        self.tokenizer = loaded.tokenizer
        self.info: BackendInfo = loaded.backend.info
        engine = Engine(loaded.backend, settings, make_drafter(options, loaded))
        origin = ModelOrigin(model, options, loaded)
        inputs = InputProcessor(
            self.tokenizer,
            self.recommended,
            engine.check,
            self.info.vocab_size,
            longest_of=engine.longest_of,
            context_length=self.info.context_length,
            origin=origin,
            model=origin.name or self.info.name,
        )
        client = EngineClient(engine)
        self._open: OpenLLM | None = OpenLLM(
            loaded.backend, engine, client, inputs, origin, loaded.files
        )
        self._load_prefixes(options.prefix_files)

    @property
    def backend(self) -> Backend:
        """What runs the model, for measurements; RequestError once the LLM is closed.

        Its KV blocks are the engine's: run batches on it only where this LLM is to run no more.
        """
        return self._require_open().backend

    def stats(self) -> EngineStats:
        """What the engine has done and is doing: requests, KV blocks, the prefix cache, tokens/s.

        RequestError once the LLM is closed.
        """
        return self._require_open().engine.stats()

    @overload
    def generate(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Literal[1] | None,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput: ...

    @overload
    def generate(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Several,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    def generate(  # type: ignore[overload-overlap]
        self,
        prompt: str,
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: int | None,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    @overload
    def generate(
        self,
        prompt: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: int | None,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    def generate(  # type: ignore[overload-overlap]
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> GenerationOutput: ...

    @overload
    def generate(
        self,
        prompt: Sequence[Prompt],
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[SampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    def generate(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    def generate(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Continue a prompt, or a list of prompts, all at once.

        One prompt is answered by one output; a list of prompts, or one prompt with
        `num_return_sequences` above 1, by a list: prompt after prompt, and of each its samples.
        (Type checkers take it for above 1, unless it is a literal 1.)
        An error ends all, and says which prompt of a list it concerns.

        Args:
            prompt: text, or token ids; or a list of such. It may be long: the engine is given as
                many as it can use.
            config: settings, as a whole.
            parse_special: whether special tokens written out in the text count as such.
            progress: whether a bar shows finished texts, or of one text its tokens, and tokens/s:
                below a notebook's cell, else on stderr. Not given: in a notebook alone, where it
                takes longer than two seconds. `foretell.set_progress(False)` turns all bars off.
            settings: fields of `GenerationConfig`, which win over `config`.

        Raises:
            ConfigError: a setting is unknown, out of range or contradicts another.
            RequestError: a prompt is empty or cannot fit.
        """
        opened = self._require_open()
        jobs = _prepare(opened.inputs, prompt, parse_special, config, settings)
        return self._collect(jobs, progress)

    def infill(
        self,
        prefix: str,
        suffix: str,
        config: GenerationConfig | None = None,
        *,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Fill the gap between two texts, with a model that was trained to.

            llm.infill("def add(a, b):\n    return ", "\n\nprint(add(1, 2))")

        The outputs' texts are what fills it. Such models are Qwen2.5-Coder, StarCoder, Code Llama,
        DeepSeek-Coder, CodeGemma and others, whose tokens around a gap are known.

        Args:
            prefix, suffix: what stands before and after it; nothing in them is a control token.
            config, progress, settings: as for `generate`, which has the same errors.

        Raises:
            RequestError: the model has no tokens for a gap.
        """
        from foretell.inputs.infill import infill_request

        ids, own = infill_request(self.tokenizer, prefix, suffix, config, settings)
        found: GenerationOutput | list[GenerationOutput]
        found = self.generate(ids, config, progress=progress, **own)
        return found

    def stream(
        self,
        prompt: Prompts,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        **settings: Unpack[GenerationSettings],
    ) -> Generator[Chunk, None, None]:
        """Continue a prompt, a chunk a token. Arguments and errors are those of `generate`.

        The texts of the chunks, joined, equal the output's text; the last chunk has the output.
        With several prompts or samples, their chunks come as they are made; `prompt_index` and
        `index` tell them apart, and each has a last chunk. Leaving the loop early ends all.
        """
        return self._stream(prompt, config, settings, parse_special=parse_special)

    def next(
        self,
        prompt: Prompt,
        top: int = NUM_NEXT,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        **settings: Unpack[GenerationSettings],
    ) -> NextDistribution:
        """P(x_t | x_<t): how probable each next token is, before and after the settings.

        Lists the `top` most probable tokens of the raw model. Without settings decoding is greedy,
        so all final probability is on one token.
        """
        return self._look(next_probe(top, settings), prompt, parse_special, config, settings)

    @overload
    def score(self, text: Prompt, top: int = 0, *, parse_special: bool = False) -> Score: ...

    @overload
    def score(  # type: ignore[overload-overlap]
        self, text: Prompt, top: str, *, continuations: None = None, parse_special: bool = False
    ) -> ContinuationScore: ...

    @overload
    def score(
        self,
        text: Prompt,
        top: Sequence[Prompt],
        *,
        continuations: None = None,
        parse_special: bool = False,
    ) -> list[ContinuationScore]: ...

    @overload
    def score(  # type: ignore[overload-overlap]
        self, text: Prompt, top: int = 0, *, continuations: str, parse_special: bool = False
    ) -> ContinuationScore: ...

    @overload
    def score(
        self,
        text: Prompt,
        top: int = 0,
        *,
        continuations: Sequence[Prompt],
        parse_special: bool = False,
    ) -> list[ContinuationScore]: ...

    def score(
        self,
        text: Prompt,
        top: int | Prompts = 0,
        *,
        continuations: Prompts | None = None,
        parse_special: bool = False,
    ) -> Score | list[ContinuationScore]:
        """Log-probability of each token of a text, their sum (the product rule), and perplexity.

            llm.score("The cat sat on the mat")
            llm.score("The cat sat on the", [" mat", " hat"])

        The first token of a text has none, unless the tokenizer puts a beginning-of-sequence token
        before it.

        With `continuations`, which may stand in second place, the text is their context, and theirs
        are the tokens that are scored: a `ContinuationScore` for one, a list of such for a list.
        The context is computed once for all of them, or taken from the prefix cache. Text with text
        is cut as one: where a token lies across the two, it counts to the continuation.

        Args:
            text: text or token ids.
            top: how many of the likeliest tokens each token comes with.
            continuations: text or token ids, or a list of such.
            parse_special: whether special tokens written out in a text count as such.

        Raises:
            ConfigError: `top` is below 0.
            RequestError: there is nothing to score, or it cannot fit.
        """
        continuations, num_top = continuations_of(top, continuations)
        if continuations is None:
            return self._look(score_probe(num_top), text, parse_special)
        analysis = score_continuations(
            self.tokenizer, text, continuations, num_top, parse_special=parse_special
        )
        self._require_open()
        return one_or_all(self._analyse(analysis), continuations)

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Literal[1] | None,
        **settings: Unpack[ChatSampleSettings],
    ) -> GenerationOutput: ...

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        *,
        num_return_sequences: Several,
        **settings: Unpack[ChatSampleSettings],
    ) -> list[GenerationOutput]: ...

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        **settings: Unpack[ChatSampleSettings],
    ) -> GenerationOutput: ...

    @overload
    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        **settings: Unpack[ChatSettings],
    ) -> GenerationOutput | list[GenerationOutput]: ...

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        **settings: Unpack[ChatSettings],
    ) -> GenerationOutput | list[GenerationOutput]:
        """Answer a conversation: `[{"role": "user", "content": "Hello"}, ...]`.

        The model's own chat template makes the prompt, and says which roles there are; text in a
        message never counts as a special token. A content may also be a list of OpenAI's text
        parts, `[{"type": "text", "text": "Hello"}]`, and a message may have a `name`. The role
        `developer` is `system` to templates that do not know it.

        `tools` are functions that the model may call, as OpenAI describes them; `tool_choice` is
        "auto", "none", "required" or the name of one. The output's `tool_calls` are what it called,
        their arguments held to the tools' schemas; their answers are messages of the role `tool`.

        An answer has at most 512 tokens where the settings state no length;
        `max_length=llm.info.context_length` leaves it all the room there is, where the KV pool has
        as much. With `num_return_sequences` above 1 there is a list of answers. RequestError if
        the model has no template, or the messages do not suit it.
        """
        from foretell.inputs.chat import chat_request

        inputs = self._require_open().inputs
        length = self.info.context_length
        chat = chat_request(self.tokenizer, messages, config, settings, length)
        found = self._collect(
            _prepare(inputs, chat.read(), False, config, chat.settings, CHAT_TOKENS)
        )
        return [*map(chat.parse, found)] if isinstance(found, list) else chat.parse(found)

    def stream_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        config: GenerationConfig | None = None,
        **settings: Unpack[ChatSettings],
    ) -> Generator[Chunk, None, None]:
        """As `chat`, a chunk a token."""
        from foretell.inputs.chat import chat_request

        length = self.info.context_length
        chat = chat_request(self.tokenizer, messages, config, settings, length)
        chunks = self._stream(chat.read(), config, chat.settings, default_length=CHAT_TOKENS)
        return chunks if chat.parser.is_plain else chat.parse_stream(chunks)

    def explain(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> Explanation:
        """Continue a prompt, and explain of every token why it was chosen.

        There are at most 5 tokens where the settings state no length. Arguments and errors are
        those of `generate`. In a notebook the result shows itself.
        """
        from foretell.analysis.explain import explain

        analysis = explain(prompt, config, parse_special=parse_special, **settings)
        return self._analyse(analysis, progress)

    def beams(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> BeamTree:
        """Continue a prompt by beam search, and show the tree: what was kept, why the rest fell.

            print(llm.beams("The cat sat on the", num_beams=3, max_new_tokens=6))

        Arguments, errors and texts are those of `generate`; `num_beams` is 5 if it is not stated,
        and there are at most 5 tokens where the settings state no length.
        """
        from foretell.analysis.beam_tree import beams

        analysis = beams(self.tokenizer, prompt, config, parse_special=parse_special, **settings)
        return self._analyse(analysis, progress)

    def compare(
        self,
        prompt: Prompt,
        strategies: Mapping[str, Mapping[str, Any] | GenerationConfig] | None = None,
        *,
        seeds: int | Sequence[int] = NUM_SEEDS,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> Comparison:
        """Run several settings over one prompt and show side by side what tells them apart.

            llm.compare("Once upon a time", {"greedy": {}, "warm": {"temperature": 1.2}})

        A strategy that samples runs once for each seed; one that does not, or that states a seed of
        its own, runs once. A run has at most 60 tokens where its settings state no length. All runs
        share their steps, so speeds are not compared. All settings are checked before the first one
        runs.

        Args:
            prompt: text, or token ids.
            strategies: settings by a name of your choice; None for the textbook's.
            seeds: the seeds of each strategy that samples, or their number n for 0 to n-1.
            parse_special, progress: as for `generate`.
            settings: in force for all of them; what a strategy states itself wins.
        """
        from foretell.analysis.compare import compare, plan_strategies

        chosen = plan_strategies(strategies, settings, seeds)
        read = partial(self._require_open().inputs.read, parse_special=parse_special)
        return self._analyse(compare(read, prompt, chosen, self.info.description), progress)

    def alternatives(
        self,
        prompt: Prompt | GenerationOutput,
        position: int | None = None,
        *,
        top: int = NUM_ALTERNATIVES,
        max_new_tokens: int = ALTERNATIVES_TOKENS,
        parse_special: bool = False,
    ) -> Alternatives:
        """The likeliest tokens at one position, and where greedy decoding leads from each.

            print(llm.alternatives("The cat sat on the", top=3))

        Args:
            prompt: text or token ids; or an output of `generate`.
            position: counts the tokens of a prompt, or the generated ones of an output, from 0;
                None for the end.
            top: how many tokens.
            max_new_tokens: tokens of each continuation, the first one included.
            parse_special: whether special tokens written out in the text count as such.

        Raises:
            ConfigError: a number is out of range.
            RequestError: there is no such position, or the texts cannot fit.
        """
        from foretell.analysis.alternatives import alternatives

        read = partial(self._require_open().inputs.read, parse_special=parse_special)
        return self._analyse(alternatives(read, prompt, position, top, max_new_tokens))

    def choose(
        self,
        prompt: Prompt,
        config: GenerationConfig | None = None,
        *,
        by: str = "mbr",
        utility: Utility | str = "chrf",
        answer: Answer | str | None = None,
        parse_special: bool = False,
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> SampleChoice:
        """Draw several samples, and choose one of them; each is told with its score.

            llm.choose("Q: What is 17 + 25? A:", by="majority", answer=r"\\d+", max_new_tokens=40)

        Args:
            prompt: text or token ids.
            config, settings: of the samples, as for `generate`; 8 of them, and drawn, if it is not
                said.
            by: "mbr", minimum Bayes risk: the one that agrees best with the others; "majority",
                self-consistency: the likeliest of those whose answer most give; "likelihood": the
                one with the greatest mean log-probability.
            utility: of "mbr": "chrf" (characters), "f1" (words), or a function `f(text, other)`.
            answer: of "majority": a regular expression, whose last match (or its first group) is
                the answer, or a function `f(text)`; not given: the whole text.
            parse_special: whether special tokens written out in a text count as such.
            progress: as for `generate`.

        Raises:
            ConfigError: an argument makes no sense, or no sample gives an answer.
            RequestError: the prompt is empty or cannot fit.
        """
        from foretell.analysis.choice import choose, config_of_samples

        complete = config_of_samples(config, settings)
        view = choose(prompt, complete, by, utility, answer, parse_special=parse_special)
        return self._analyse(view, progress)

    def replay(
        self,
        receipt: Receipt | str | os.PathLike[str],
        *,
        functions: Mapping[str, Any] | None = None,
        progress: bool | None = None,
    ) -> Replay:
        """Make a text again from its receipt, and compare it bit by bit.

            print(llm.replay("receipt.json"))

        Another model, tokenizer, option or version of foretell is told by `changed`, and the text
        made again all the same. Where texts part, `difference` names the first token that differs.
        Of a text that was cut off (by `max_time`, or as it was aborted) what was there is compared.

        Args:
            receipt: of an output (`output.receipt`), or the path of a file that has it.
            functions: those that were settings and are in no receipt, by the setting's name.
            progress: as for `generate`.

        Raises:
            ConfigError: the receipt's settings make no sense here.
            ReceiptError: it is no receipt, or its file has none, or several.
            RequestError: a function is missing, or the prompt cannot fit.
        """
        from foretell.analysis.replay import replay
        from foretell.receipts import read_receipt

        opened = self._require_open()
        length = self.info.context_length
        read = read_receipt(receipt)
        analysis = replay(read, opened.origin, self.tokenizer, length, functions)
        return self._analyse(analysis, progress)

    def batch(
        self,
        rows: str | os.PathLike[str] | Iterable[str | Mapping[str, Any]],
        output: str | os.PathLike[str],
        *,
        part_rows: int = PART_ROWS,
        output_format: Literal["jsonl", "parquet"] = "jsonl",
        column: str | None = None,
        shard: tuple[int, int] = (0, 1),
        model_names: Sequence[str] = (),
        progress: bool | None = None,
        **settings: Unpack[GenerationSettings],
    ) -> BatchSummary:
        """Answer many rows, and write the answers to a folder, as `foretell batch` does.

            llm.batch("prompts.jsonl", "answers", max_new_tokens=200)
            llm.batch([{"custom_id": "a", "prompt": "The cat"}, "The dog"], "answers")

        Stopped at any moment, the same call goes on with what is missing, and comes to the same
        bytes. Parts that other processes are at are waited for. What is wrong with a row is its
        answer. docs/batch.md has the forms of rows and answers, and what several processes do with
        one folder.

        Args:
            rows: the path of a file of lines, or of a table (CSV, TSV, Parquet); or the rows
                themselves: prompts, or bodies of requests as the server takes them.
            output: the folder. A job that is there is gone on with, if it is this one.
            part_rows: rows of each file of answers.
            output_format: of the files.
            column: a table's column of prompts; not given: "prompt".
            shard: `(i, n)` makes each n-th part alone, from part i on.
            model_names: names that rows may call the model by beside its own, such as
                "gpt-4o-mini"; answers bear the first.
            progress: whether a bar shows rows and their rate; not given: in a notebook alone.
            settings: of rows that state none of their own: fields of `GenerationConfig`, all but
                functions and `max_time`. From `seed` the seeds of rows follow.

        Raises:
            ConfigError: the folder has another job, or parts that were changed; the rows, a
                setting or the disk are not as they should be.
            RequestError: the KV pool is too small here for a row. What else is no row's fault, such
                as a lack of memory, is raised as well; the same call goes on.
        """
        from importlib import import_module

        # Above this room: a job asks as a client of the server does. See docs/decisions/0044.
        found: BatchSummary = import_module("foretell.scale.local").batch(
            self,
            rows,
            output,
            part_rows=part_rows,
            output_format=output_format,
            column=column,
            shard=shard,
            model_names=model_names,
            progress=progress,
            settings=settings,
        )
        return found

    def detect_watermark(
        self,
        text: Prompt | GenerationOutput,
        *,
        watermark: Watermark | Mapping[str, Any] | bool = True,
        z_threshold: float = 3.0,
        ignore_repeated_ngrams: bool = False,
    ) -> WatermarkEvidence:
        """Whether a text bears a watermark: how many more tokens are green than chance would give.

            print(llm.detect_watermark(output, watermark={"hashing_key": 2718281}))

        The model does not run; its vocabulary must be that with which the text was generated.

        Args:
            text: a text without its prompt, its token ids, or an output of `generate`.
            watermark: what it may have been generated with, as the setting takes it.
            z_threshold: above it, the text counts as marked.
            ignore_repeated_ngrams: whether equal tokens in equal places count once.

        Raises:
            ConfigError: the watermark or the threshold makes no sense.
            RequestError: the text has too few tokens.
        """
        from foretell.analysis.watermark import evidence_in

        return evidence_in(
            text,
            self.tokenizer,
            self.info.vocab_size,
            watermark,
            z_threshold=z_threshold,
            ignore_repeated_ngrams=ignore_repeated_ngrams,
        )

    def save_prefix(
        self,
        path: str | os.PathLike[str],
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        chat_template: str | None = None,
        parse_special: bool = False,
    ) -> KeptPrefix:
        """Compute a prompt, and write what was computed of it to a file, for `load_prefix`.

            llm.save_prefix("manual.prefix", messages=[{"role": "system", "content": manual}])

        What is kept are the keys and values of its tokens, up to the last full block of the KV
        cache (16 tokens, or more for models with a state). The file is as large as these are in
        memory, and holds the prompt's token ids. It is written whole or not at all.

        Args:
            path: of the file; one that is there is replaced.
            prompt: text, or token ids.
            messages: in place of a prompt: what chats begin with. Kept is what the prompts of all
                chats that begin so have in common; where the last message is the user's, all of it.
            tools, chat_template: of these chats, as for `chat`.
            parse_special: whether special tokens written out in the prompt count as such.

        Raises:
            ConfigError: the model does not run on the native backend, was given as an object, or
                `prefix_caching` is off.
            RequestError: the prompt is shorter than a block, or does not fit.
            PrefixFileError: the file cannot be written.
            ModelFileError: the model's files are not those any more that were loaded.
        """
        from foretell.prefixes.keeping import save_prefix

        opened = self._require_open()
        read = beginning_of(opened.inputs, prompt, messages, tools, chat_template, parse_special)
        return save_prefix(self._runner(), path, read())

    def load_prefix(self, path: str | os.PathLike[str], *, sha256: str | None = None) -> KeptPrefix:
        """Put what `save_prefix` wrote into the prefix cache: prompts that begin so find it there.

        Texts and logits are the same, bit by bit, as if it had been computed, on any instruction
        set and with any number of threads. The file must be of the same model, version of foretell
        and format of keys and values; all of it is checked by its hash before any request can find
        it. Other requests go on meanwhile.

        The tokens lie in the prefix cache as computed ones do: they go when room is needed and they
        were used longest ago. Where running requests leave too little room, the first ones alone
        are put there; `num_cached` of the result tells.

        Args:
            path: of the file.
            sha256: what `save_prefix` told of it, if no other file is to be taken. A hash in the
                file itself shows damage, and not who has written it.

        Raises:
            PrefixFileError: the file is damaged, cannot be read, or was made by something else.
            RequestError: its tokens exceed the context or the KV pool.
            ConfigError, ModelFileError: as for `save_prefix`.
        """
        from foretell.prefixes.keeping import load_prefix

        return load_prefix(self._runner(), path, sha256)

    def _load_prefixes(self, paths: Sequence[os.PathLike[str]]) -> None:
        total = sum(self.load_prefix(path).num_tokens for path in paths)
        room = self.info.num_blocks * self.info.block_size
        if total > room:
            caution(
                f"the prefixes have {total} tokens, the KV pool {room}: the first ones may be gone "
                "again; a larger num_blocks or kv_share keeps them"
            )

    def _runner(self) -> Runner:
        from foretell.prefixes.keeping import Runner, prompt_only

        opened = self._require_open()

        def compute(tokens: Sequence[int]) -> None:
            self._look(prompt_only(), tokens, parse_special=False)

        return Runner(opened.backend, opened.files, opened.client.call, compute)

    def close(self) -> None:
        """End all requests and let go of the model; closing twice does nothing."""
        if self._open is not None:
            self._open.client.close()
            self._open = None

    def __repr__(self) -> str:
        return model_repr(self, self.info, is_open=self._open is not None)

    def __enter__(self) -> LLM:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} {NOT_PICKLED}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _require_open(self) -> OpenLLM:
        """What runs this LLM, for foretell's own rooms; RequestError once it is closed."""
        if self._open is None:
            raise RequestError(CLOSED)
        return self._open

    def _collect(
        self, jobs: PreparedPrompts, progress: bool | None = None
    ) -> GenerationOutput | list[GenerationOutput]:
        opened = self._require_open()
        with progress_of(jobs, jobs.num_outputs, self.info, progress) as (watched, show):
            outputs = collect_outputs(stream_jobs(opened.client, watched, self.tokenizer), show)
        return outputs[0] if jobs.is_single else outputs

    def _stream(
        self,
        prompt: Prompts,
        config: GenerationConfig | None,
        settings: Mapping[str, Any],
        *,
        parse_special: bool = False,
        default_length: int | None = None,
    ) -> Generator[Chunk, None, None]:
        """As `stream`, with a length of its own where the settings state none."""
        opened = self._require_open()
        jobs = _prepare(opened.inputs, prompt, parse_special, config, settings, default_length)
        return stream_jobs(opened.client, jobs, self.tokenizer)

    def _look(
        self,
        probe: PromptProbe[T],
        prompt: Prompt,
        parse_special: bool,
        config: GenerationConfig | None = None,
        settings: Mapping[str, Any] = NO_SETTINGS,
    ) -> T:
        """Run a request that generates nothing; the view of what was seen."""
        opened = self._require_open()
        template = opened.inputs.template(opened.inputs.settings(config, settings), **probe.extras)
        job = opened.inputs.job(prompt, template, parse_special=parse_special)
        return probe.view(job, run_prompt_only(opened.client, job), self.tokenizer)

    def _analyse(self, analysis: Analysis[T], progress: bool | None = None) -> T:
        """Run what an analysis asks for; its view."""
        step = advance(analysis, None)
        while not isinstance(step, Finished):
            step = advance(analysis, self._run(step, progress))
        return step.view

    def _run(self, tasks: Tasks, progress: bool | None) -> list[GenerationOutput]:
        opened = self._require_open()
        configs = [opened.inputs.settings(task.config, NO_SETTINGS) for task in tasks]
        jobs = jobs_of(tasks, configs, opened.inputs)
        num_texts = sum(job.request.num_samples for job in jobs)
        with progress_of(jobs, num_texts, self.info, progress) as (watched, show):
            return collect_outputs(stream_jobs(opened.client, watched, self.tokenizer), show)


def model_repr(holder: object, info: BackendInfo, *, is_open: bool) -> str:
    """What runs a model, by what it runs: `LLM('SmolLM2-135M-Instruct in Q4_1, ...')`."""
    closed = "" if is_open else ", closed"
    return f"{type(holder).__name__}({short_repr(info.description)}{closed})"


def _prepare(
    inputs: InputProcessor,
    prompt: Prompts,
    parse_special: bool,
    config: GenerationConfig | None,
    settings: Mapping[str, Any],
    default_length: int | None = None,
) -> PreparedPrompts:
    """Check settings and prompts, before any work."""
    template = inputs.template(inputs.settings(config, settings), default_length=default_length)
    return inputs.prepare(prompt, template, parse_special=parse_special)
