"""What an evaluation comes to, and how it is shown: a figure a line, or a model a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foretell.evaluation.estimates import Estimate
from foretell.evaluation.windows import Convention
from foretell.outputs import JsonMixin
from foretell.utils.display import count, pad

Line = tuple[str, str]
"""What a figure is, and the figure."""


@dataclass(frozen=True, repr=False)
class Perplexity(JsonMixin):
    """The perplexity of a text.

    Attributes:
        convention: how the text was cut, and what was scored.
        window: most tokens of a window.
        stride: by how many tokens each of Hugging Face's windows begins later; None elsewhere.
        num_windows: windows that were scored.
        num_tokens: tokens of the text.
        num_scored: tokens that were scored.
        mean_nll: mean negative log-probability of a scored token, in nats.
        perplexity: exp of it.
        words: of lm-eval alone: exp of the text's negative log-probability by its words, each up
            to white space.
        bytes: the same by its bytes of UTF-8.
        bits_per_byte: log2 of that.
    """

    convention: Convention
    window: int
    stride: int | None
    num_windows: int
    num_tokens: int
    num_scored: int
    mean_nll: Estimate
    perplexity: Estimate
    words: Estimate | None = None
    bytes: Estimate | None = None
    bits_per_byte: Estimate | None = None

    def __str__(self) -> str:
        return "\n".join(_perplexity_lines(self))


@dataclass(frozen=True, repr=False)
class KLDivergence(JsonMixin):
    """A model beside a reference: P is the reference's distribution, Q the model's.

    Attributes:
        window: tokens of a window, of which the second half is scored.
        num_windows: windows.
        num_tokens: tokens that were scored.
        model_ppl, reference_ppl: their perplexities.
        correlation: of the two models' ln p of the text's tokens; None if one has no spread.
        ln_ratio: the mean of ln(PPL(Q) / PPL(P)).
        ratio: PPL(Q) / PPL(P).
        difference: PPL(Q) - PPL(P).
        mean_kld: the mean of KL(P ‖ Q) = Σ p ln(p / q), in nats.
        max_kld, min_kld: its largest and smallest value.
        kld_percentiles: its values by percentile, "50" the median.
        mean_delta_p: mean of Δp = q - p of the text's token, as a share.
        max_delta_p, min_delta_p, delta_p_percentiles: the same of Δp.
        rms_delta_p: the root of the mean of Δp².
        same_top: how often both have the same likeliest token, as a share.
    """

    window: int
    num_windows: int
    num_tokens: int
    model_ppl: Estimate
    reference_ppl: Estimate
    correlation: float | None
    ln_ratio: Estimate
    ratio: Estimate
    difference: Estimate
    mean_kld: Estimate
    max_kld: float
    min_kld: float
    kld_percentiles: dict[str, float]
    mean_delta_p: Estimate
    max_delta_p: float
    min_delta_p: float
    delta_p_percentiles: dict[str, float]
    rms_delta_p: Estimate
    same_top: Estimate

    def __str__(self) -> str:
        return "\n".join(_divergence_lines(self))


@dataclass(frozen=True, repr=False)
class ModelQuality(JsonMixin):
    """A model, its size, and how far it is from the reference.

    Attributes:
        name: what it was named by.
        description: what runs it.
        weight_bytes: bytes of weights that each step reads; 0 where the backend does not tell.
        divergence: its figures beside the reference.
    """

    name: str
    description: str
    weight_bytes: int
    divergence: KLDivergence


@dataclass(frozen=True, repr=False)
class Quality(JsonMixin):
    """Models held against one reference.

    Attributes:
        reference: what the reference was named by.
        description: what runs it.
        weight_bytes: its size, as those of the models.
        models: in the order in which they were given.
    """

    reference: str
    description: str
    weight_bytes: int
    models: list[ModelQuality]

    def __str__(self) -> str:
        return "\n".join(_quality_lines(self))


def _perplexity_lines(found: Perplexity) -> list[str]:
    """The perplexity, and what it is of."""
    stride = "" if found.stride is None else f", one each {found.stride}"
    windows = f"{count(found.num_windows, 'window')} of {found.window}{stride}"
    scored = f"{found.num_scored} of {count(found.num_tokens, 'token')} scored"
    lines = [("perplexity", found.perplexity.show())]
    if found.words is not None and found.bytes is not None and found.bits_per_byte is not None:
        lines += [
            ("perplexity by word", found.words.show()),
            ("perplexity by byte", found.bytes.show()),
            ("bits per byte", found.bits_per_byte.show()),
        ]
    return [*_aligned(lines), f"{found.convention}: {windows}, {scored}"]


def _divergence_lines(found: KLDivergence) -> list[str]:
    """All figures, in the order of llama-perplexity."""
    percent = 100.0
    correlation = "–" if found.correlation is None else f"{found.correlation * percent:.2f} %"
    lines: list[Line] = [
        ("PPL(Q), of the model", found.model_ppl.show()),
        ("PPL(P), of the reference", found.reference_ppl.show()),
        ("correlation of ln p", correlation),
        ("mean ln(PPL(Q) / PPL(P))", found.ln_ratio.show(6)),
        ("PPL(Q) / PPL(P)", found.ratio.show(6)),
        ("PPL(Q) - PPL(P)", found.difference.show(6)),
        ("", ""),
        ("mean KLD", found.mean_kld.show(6)),
        ("maximum KLD", f"{found.max_kld:.6f}"),
        *((_percentile(name), f"{kld:.6f}") for name, kld in found.kld_percentiles.items()),
        ("minimum KLD", f"{found.min_kld:.6f}"),
        ("", ""),
        ("mean Δp", f"{found.mean_delta_p.show(3, percent)} %"),
        ("maximum Δp", f"{found.max_delta_p * percent:.3f} %"),
        *(
            (_percentile(name), f"{delta * percent:.3f} %")
            for name, delta in found.delta_p_percentiles.items()
        ),
        ("minimum Δp", f"{found.min_delta_p * percent:.3f} %"),
        ("RMS Δp", f"{found.rms_delta_p.show(3, percent)} %"),
        ("same likeliest token", f"{found.same_top.show(3, percent)} %"),
    ]
    windows = f"{count(found.num_windows, 'window')} of {found.window}"
    return [*_aligned(lines), f"{windows}, {count(found.num_tokens, 'token')} compared"]


def _quality_lines(found: Quality) -> list[str]:
    """A table: a model a line, the reference first."""
    heads: tuple[str, ...] = (
        "",
        "MB",
        "perplexity",
        "ln PPL ratio",
        "mean KLD",
        "99 % KLD",
        "RMS Δp",
        "same top",
    )
    rows = [heads]
    if found.models:
        ppl = found.models[0].divergence.reference_ppl
        rows.append((_name(found.reference), _size(found.weight_bytes), ppl.show(), *[""] * 5))
    rows += [_row(one) for one in found.models]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return [
        "  ".join(
            [pad(row[0], widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]


def _row(one: ModelQuality) -> tuple[str, ...]:
    found = one.divergence
    return (
        _name(one.name),
        _size(one.weight_bytes),
        found.model_ppl.show(),
        found.ln_ratio.show(5),
        found.mean_kld.show(5),
        f"{found.kld_percentiles['99']:.5f}",
        f"{found.rms_delta_p.value * 100:.2f} %",
        f"{found.same_top.value * 100:.2f} %",
    )


def _name(name: str) -> str:
    return Path(name).name or name


def _size(weight_bytes: int) -> str:
    return f"{weight_bytes / 1e6:.1f}" if weight_bytes else "–"


def _percentile(name: str) -> str:
    return "median" if name == "50" else f"{name} %"


def _aligned(lines: list[Line]) -> list[str]:
    width = max(len(name) for name, _ in lines)
    return [f"{pad(name, width)}  {figure}".rstrip() for name, figure in lines]
