"""The logits that a model gives after some ids, for oracles that choose tokens themselves."""

from foretell.decoding.strategies.probe import LogitsProbe
from foretell.engine.request import Request
from support.toy import engine_of


def logits_after(llm, ids):
    """The row at the last position, `(vocab_size,)`: `model(input_ids).logits[:, -1, :]`."""
    probe = LogitsProbe()
    engine = engine_of(llm)
    engine.add(Request(ids, strategy=probe))
    while engine.has_work:
        engine.step()
    return probe.require_row()
