"""The tree of a beam search: what was considered, what was kept, and why the rest fell."""

from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    LiveBeam,
    TreeStep,
)
from foretell.analysis.beam_tree.search import beams, require_beams
from foretell.analysis.beam_tree.tree import BeamTree

__all__ = [
    "BeamCandidate",
    "BeamHypothesis",
    "BeamTree",
    "LiveBeam",
    "TreeStep",
    "beams",
    "require_beams",
]
