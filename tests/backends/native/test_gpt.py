"""What a `config.json` of a GPT, or of a Gemma, asks for and is not computed is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import gpt_files
from support.family_contract import load_folder, save
from support.family_files import make_family

from foretell.errors import ForetellError

REFUSED = [
    ("GPTNEOX", {"hidden_act": "swish"}, "the activation 'swish'"),
    ("GPTNEOX", {"rope_parameters": {"rope_type": "odd"}}, "rope type 'odd'"),
    ("GPTNEOX", {"rotary_pct": 2, "rope_parameters": None}, "'rotary_pct' is 2"),
    ("GPTJ", {"rotary_dim": 7}, "rotary_dim is 7: must be even"),
    ("GPTJ", {"rotary_dim": 64}, "'rotary_dim' is 64"),
    (
        "BLOOM",
        {"apply_residual_connection_post_layernorm": True},
        "apply_residual_connection_post_layernorm=true",
    ),
    ("MPT", {"attn_config": {"alibi": False}}, "alibi=false"),
    ("MPT", {"attn_config": {"qk_ln": True}}, "qk_ln=true"),
    ("MPT", {"attn_config": {"prefix_lm": True}}, "prefix_lm=true"),
    ("MPT", {"attn_config": {"alibi_bias_max": 16}}, "alibi_bias_max other than 8"),
    ("MPT", {"logit_scale": 2.0}, "logit_scale"),
    ("MPT", {"no_bias": False}, "no_bias=false"),
    ("MPT", {"expansion_ratio": 2}, "expansion_ratio other than 4"),
    ("STARCODER", {"add_cross_attention": True}, "add_cross_attention=true"),
    ("FALCON", {"new_decoder_architecture": True, "parallel_attn": False}, "parallel_attn=false"),
    ("FALCON", {"num_ln_in_parallel_attn": 2}, "num_ln_in_parallel_attn=2 of the older"),
    ("OPT", {"layer_norm_elementwise_affine": False}, "layer_norm_elementwise_affine=false"),
    ("GPTNEO", {"attention_types": [[["odd"], 3]]}, "attention_types must give"),
    ("GPTNEO", {"attention_types": [[["global"], 2]]}, "attention_types must give"),
    ("GPTNEO", {"attention_types": [7]}, "attention_types must be a list"),
    ("GPTNEO", {"attention_types": [[["global"], "x"]]}, "attention_types must be a list"),
    ("GEMMA2", {"hidden_activation": "gelu"}, "an activation other than gelu_pytorch_tanh"),
    ("GEMMA2", {"use_bidirectional_attention": True}, "use_bidirectional_attention=true"),
    ("GEMMA2", {"attn_logit_softcapping": 0}, "'attn_logit_softcapping' is 0"),
]


@pytest.mark.parametrize(("family", "config", "message"), REFUSED)
def test_what_is_not_computed_is_refused(
    tmp_path: Any, family: str, config: dict[str, Any], message: str
) -> None:
    folder = save(tmp_path, make_family(getattr(gpt_files, family)))
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    with pytest.raises(ForetellError, match=message):
        load_folder(folder)
