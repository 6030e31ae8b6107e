"""The tree of a beam search: what was considered, what was kept, and why the rest fell."""

from foretell.analysis.beam_tree.growth import TreeGrowth
from foretell.analysis.beam_tree.results import (
    BeamCandidate,
    BeamHypothesis,
    GrownStep,
    LiveBeam,
    Revision,
    TreeStep,
)
from foretell.analysis.beam_tree.search import beams, require_beams
from foretell.analysis.beam_tree.tree import BeamTree
from foretell.decoding.strategies.beam_records import BeamStep

__all__ = [
    "BeamCandidate",
    "BeamHypothesis",
    "BeamStep",
    "BeamTree",
    "GrownStep",
    "LiveBeam",
    "Revision",
    "TreeGrowth",
    "TreeStep",
    "beams",
    "require_beams",
]
