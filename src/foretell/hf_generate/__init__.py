"""generate(): what transformers' `model.generate` takes, and what it returns.

    from foretell import generate

    ids = generate(model, **tokenizer("The cat sat", return_tensors="pt"), max_new_tokens=20)

    inputs → `Row`s, settings → GenerationConfig → `Request`s → `Text`s → ids

`fields` has the table of what is honoured, what changes nothing, and what is refused.

Beside a token's way: another door to step 1, with outputs as transformers has them.
"""

from __future__ import annotations

from typing import Any

from foretell.hf_generate.call import Call
from foretell.hf_generate.fields import refuse_unknown
from foretell.hf_generate.models import opened
from foretell.hf_generate.results import GenerateOutput

__all__ = ["GenerateOutput", "generate"]


def generate(model: Any, inputs: Any = None, generation_config: Any = None, **kwargs: Any) -> Any:
    """Continue prompts as `model.generate(inputs, generation_config, **kwargs)` would.

    Defaults are transformers': greedy, at most 20 new tokens (with a warning), a top-k of 50 where
    `do_sample=True`, and before them what the model's own generation config says. Greedy decoding
    and beams give the same tokens, sampling the same distribution. Draws follow `seed`, foretell's
    own argument, or else torch's seed where torch is in use.

    Each row is decoded as if it were alone: padding is no part of it for any processor. Logits
    processors and stopping criteria are called with one row at a time, its padding put back; they
    and the streamer are given tensors where torch has been imported, else numpy arrays.

    Args:
        model: a transformers model, an `LLM`, or what `LLM` takes: a name, a folder, a GGUF file.
            All but the first two are loaded for this one call.
        inputs: ids `(batch, length)`, as a tensor, an array or lists, padded on the left (see
            `attention_mask`); or a text or a list of texts. None: `input_ids`, or the
            beginning-of-sequence token.
        generation_config: a transformers GenerationConfig; None: the model's own.
        kwargs: fields of it, which win, and further arguments of `model.generate`.

    Returns:
        Ids with the prompts, `(batch * num_return_sequences, length)`, of the inputs' type and on
        their device, filled on the right with the pad token or the first end-of-sequence token.
        For texts: a tensor from a transformers model, else a numpy array of int64. With
        `return_dict_in_generate=True`, a `GenerateOutput`.

    Raises:
        ConfigError: an argument is unknown, out of range, or cannot be honoured.
        RequestError: the inputs have another shape, or are too long.
    """
    refuse_unknown(kwargs)
    with opened(model, kwargs.get("tokenizer")) as source:
        call = Call(source, inputs, generation_config, kwargs)
        return call.run()
