"""How good a model is: perplexity by the conventions of others, divergence from a reference.

    text → windows → logits behind the scored tokens → figures, each with its standard error

`perplexity` and `kl_divergence` run on an `LLM`; `harness` is what lm-evaluation-harness asks.

Beside a token's way: it generates nothing, and looks at the logits of texts that are there.
"""

from __future__ import annotations

from foretell.evaluation.divergence import kl_divergence
from foretell.evaluation.estimates import Estimate
from foretell.evaluation.perplexity import perplexity
from foretell.evaluation.quality import quality
from foretell.evaluation.results import KLDivergence, ModelQuality, Perplexity, Quality

__all__ = [
    "Estimate",
    "KLDivergence",
    "ModelQuality",
    "Perplexity",
    "Quality",
    "kl_divergence",
    "perplexity",
    "quality",
]
