"""Mixtures of experts, which decoders that are kin to Llama have in place of the MLP.

A router scores the experts for each token; the best few compute, and their results are added up by
weight (Shazeer et al. 2017, arXiv 1701.06538). Some models have an expert that all tokens share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from foretell.backends.native._core import Routing, Scoring
from foretell.backends.native.decoder import Decoder
from foretell.backends.native.plan import Plan, Value
from foretell.backends.native.weights.experts import Stack
from foretell.backends.native.weights.source import HFName
from foretell.formats.checkpoint import Checkpoint
from foretell.formats.gguf import GGUFFile
from foretell.formats.metadata import MetadataReader

MAX_EXPERTS = 1024
SIGMOID = 2  # what GGUF files call it
ROUTER = "ffn_gate_inp"
EXPERTS = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")


def router_names(module: str, *others: str) -> dict[str, HFName]:
    """What a checkpoint calls the router's weight and bias, by its module's name or another."""

    def name(module: str, kind: str) -> str:
        return f"model.layers.{{}}.{module}.{kind}"

    return {
        f"blk.{{}}.{ROUTER}.{kind}": HFName(
            name(module, kind), others=tuple(name(other, kind) for other in others)
        )
        for kind in ("weight", "bias")
    }


def expert_names(
    block: str = "mlp",
    projections: Sequence[str] = ("gate_proj", "up_proj", "down_proj"),
    block_of_all: str = "mlp",
) -> dict[str, HFName]:
    """What a checkpoint calls the experts' matrices: each expert's own, or those of all.

    Args:
        block: the module of a layer that has each expert's own.
        projections: an expert's matrices: gate, up, down.
        block_of_all: the module of a layer that has those of all.
    """
    gate, up, down = (
        f"model.layers.{{}}.{block}.experts.{{}}.{name}.weight" for name in projections
    )
    fused, stacked = (
        f"model.layers.{{}}.{block_of_all}.experts.{name}" for name in ("gate_up_proj", "down_proj")
    )
    return {
        "blk.{}.ffn_gate_exps.weight": HFName(gate, stacks=(Stack(fused, 0, 2),)),
        "blk.{}.ffn_up_exps.weight": HFName(up, stacks=(Stack(fused, 1, 2),)),
        "blk.{}.ffn_down_exps.weight": HFName(down, stacks=(Stack(stacked),)),
    }


def shared_names(module: str) -> dict[str, HFName]:
    """What a checkpoint calls the matrices of the expert that all tokens share."""
    return {
        f"blk.{{}}.ffn_{part}_shexp.weight": HFName(
            f"model.layers.{{}}.{module}.{part}_proj.weight"
        )
        for part in ("gate", "up", "down")
    }


@dataclass(frozen=True)
class Mixture:
    """The experts of a model's layers.

    Attributes:
        routing: how many there are, and how a token chooses.
        hidden: how wide an expert is inside.
        shared: how wide the expert is that all tokens share; 0: there is none.
        dense: the layers that have an MLP instead.
    """

    routing: Routing
    hidden: int
    shared: int = 0
    dense: frozenset[int] = frozenset()


@dataclass(frozen=True)
class MixtureDecoder(Decoder):
    """A decoder whose MLPs are mixtures of experts, in all layers or in some.

    Attributes:
        NORMALIZES: whether the chosen experts' weights add up to 1; None: a checkpoint's config
            says it, in `norm_topk_prob`.
        GATES_SHARED: whether a gate says how much the shared expert counts.
        mixture: its experts; None: there are none.
    """

    CONFIG_NAMES: ClassVar = {"num_experts": "num_local_experts"}
    NORMALIZES: ClassVar[bool] = True
    GATES_SHARED: ClassVar[bool] = False

    HF_NAMES: ClassVar[dict[str, HFName]] = {
        **Decoder.HF_NAMES,
        **router_names("mlp.gate"),
        **expert_names(),
    }

    mixture: Mixture | None = None

    @classmethod
    def from_gguf(cls, file: GGUFFile, reader: MetadataReader) -> Self:
        """Read the sizes from the metadata."""
        model = super().from_gguf(file, reader)
        return replace(model, mixture=model._file_mixture(reader))

    @classmethod
    def from_config(cls, checkpoint: Checkpoint) -> Self:
        """Read the sizes from `config.json`."""
        model = super().from_config(checkpoint)
        return replace(model, mixture=model._config_mixture(cls._config_reader(checkpoint)))

    @classmethod
    def _check_file(cls, reader: MetadataReader) -> None:
        """Nothing is left out: experts are computed."""

    def _file_mixture(self, reader: MetadataReader) -> Mixture | None:
        """The experts of a GGUF file's model; None: it has none."""
        experts = reader.integer("expert_count", 0, MAX_EXPERTS, 0)
        if experts == 0:
            return None
        used = reader.integer("expert_used_count", 1, experts)
        hidden = self._expert_width(reader, "expert_feed_forward_length")
        mixture = Mixture(self._file_routing(reader, experts, used), hidden)
        return self._file_layers(reader, mixture)

    def _config_mixture(self, reader: MetadataReader) -> Mixture | None:
        """The experts of a checkpoint's model; None: it has none."""
        experts = reader.integer("num_experts", 1, MAX_EXPERTS)
        used = reader.integer("num_experts_per_tok", 1, experts)
        hidden = self._expert_width(reader, "moe_intermediate_size")
        mixture = Mixture(self._config_routing(reader, experts, used), hidden)
        return self._config_layers(reader, mixture)

    def _expert_width(self, reader: MetadataReader, key: str) -> int:
        """How wide an expert is inside; as an MLP, if it is not said."""
        hidden = reader.integer(key, 1, 2**20, self.hidden)
        for size, name in ((hidden, "experts"), (self.width, "a mixture's rows")):
            if size % 16:
                raise reader.unsupported(f"{name} of {size} values (not a multiple of 16)")
        return hidden

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        """How a token of a GGUF file's model chooses."""
        return self._softmax(experts, used, normalizes=self.NORMALIZES)

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        """How a token of a checkpoint's model chooses."""
        normalizes = reader.flag("norm_topk_prob", self.NORMALIZES)
        return self._softmax(experts, used, normalizes=normalizes)

    def _softmax(self, experts: int, used: int, *, normalizes: bool) -> Routing:
        scoring = Scoring.chosen_softmax if normalizes else Scoring.softmax
        return Routing(experts, used, scoring, factor=self.factors.residual)

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        """The mixture, with what else a GGUF file says of its layers."""
        return mixture

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        """The mixture, with what else a checkpoint's config says of its layers."""
        return mixture

    def _feed_forward(
        self, plan: Plan, h: Value, name: str, residual: Value | None = None
    ) -> Value:
        """(residual +) the MLP of the normed rows `h`, or the experts'."""
        layer = int(name.removeprefix("blk."))
        if self.mixture is None or layer in self.mixture.dense:
            return super()._feed_forward(plan, h, name, residual)
        if self.mixture.shared:
            residual = self._shared(plan, h, name, self.mixture.shared, residual)
        return self._experts(plan, h, name, self.mixture, residual)

    def _experts(
        self, plan: Plan, h: Value, name: str, mixture: Mixture, residual: Value | None
    ) -> Value:
        """(residual +) the experts that each token chooses."""
        routing = mixture.routing
        gate, up, down = (f"{name}.{part}.weight" for part in EXPERTS)
        gate_bias, up_bias, down_bias = (
            f"{name}.{part}.bias" if part in self.biases else None for part in EXPERTS
        )
        logits = self._linear(plan, h, f"{name}.{ROUTER}", routing.experts)
        plan.route(logits, routing, bias=self._choice_bias(name))
        rows = plan.dispatch(h, routing)
        gates = plan.experts(rows, routing, gate, mixture.hidden, bias=gate_bias)
        values = plan.experts(rows, routing, up, mixture.hidden, bias=up_bias)
        rows = self._expert_activation(plan, gates, values)
        return plan.combine(rows, routing, down, self.width, bias=down_bias, residual=residual)

    def _expert_activation(self, plan: Plan, gates: Value, values: Value) -> Value:
        return plan.silu_mul(gates, values)

    def _choice_bias(self, name: str) -> str | None:
        """The weight that is added to scores, for the choice alone."""
        return None

    def _shared(
        self, plan: Plan, h: Value, name: str, hidden: int, residual: Value | None
    ) -> Value:
        """(residual +) the expert that all tokens share."""
        gates, values = self._shared_rows(plan, h, name, hidden)
        rows, down = plan.silu_mul(gates, values), f"{name}.ffn_down_shexp"
        if not self.GATES_SHARED:
            return self._add(plan, rows, down, residual)
        if residual is None:
            raise ValueError("a shared expert's gate needs a residual that it is added to")
        gate = plan.linear(h, f"{name}.ffn_gate_inp_shexp.weight", 1)
        return plan.add_gated(residual, gate, self._linear(plan, rows, down, self.width))

    def _shared_rows(self, plan: Plan, h: Value, name: str, hidden: int) -> tuple[Value, Value]:
        """The shared expert's gate and values."""
        return (
            plan.linear(h, f"{name}.ffn_gate_shexp.weight", hidden),
            plan.linear(h, f"{name}.ffn_up_shexp.weight", hidden),
        )


@dataclass(frozen=True)
class SigmoidMixtureDecoder(MixtureDecoder):
    """A mixture as DeepSeek-V3 has it (arXiv 2412.19437): each expert's score is its own.

    A bias, by which training evened the load, is added for the choice; experts of the best groups
    alone are chosen, the first layers have an MLP, and one expert or several are shared.

    Attributes:
        SUM_EPS: what is added to the sum of the chosen experts' scores before it divides them.
    """

    CONFIG_NAMES: ClassVar = {"num_experts": "n_routed_experts"}
    SUM_EPS: ClassVar[float] = 1e-20
    HF_NAMES: ClassVar[dict[str, HFName]] = {
        **MixtureDecoder.HF_NAMES,
        **shared_names("mlp.shared_experts"),
        "blk.{}.exp_probs_b.bias": HFName("model.layers.{}.mlp.gate.e_score_correction_bias"),
    }

    def _config_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        groups = reader.integer("n_group", 1, experts, 1)
        return self._grouped(
            reader,
            (experts, used),
            normalizes=reader.flag("norm_topk_prob", self.NORMALIZES),
            groups=(groups, reader.integer("topk_group", 1, groups, 1)),
            factor=reader.number("routed_scaling_factor", 0, 1e6, 1.0),
        )

    def _file_routing(self, reader: MetadataReader, experts: int, used: int) -> Routing:
        if reader.integer("expert_gating_func", 0, 2**16, SIGMOID) != SIGMOID:
            raise reader.unsupported("an expert_gating_func other than sigmoid")
        return self._file_groups(reader, experts, used)

    def _file_groups(
        self, reader: MetadataReader, experts: int, used: int, scoring: Scoring = Scoring.sigmoid
    ) -> Routing:
        """How a token of a GGUF file's model chooses by such scores."""
        groups = reader.integer("expert_group_count", 1, experts, 1)
        return self._grouped(
            reader,
            (experts, used),
            normalizes=reader.flag("expert_weights_norm", self.NORMALIZES),
            groups=(groups, reader.integer("expert_group_used_count", 1, groups, 1)),
            factor=reader.number("expert_weights_scale", 0, 1e6, 1.0) or 1.0,
            scoring=scoring,
        )

    def _grouped(
        self,
        reader: MetadataReader,
        experts: tuple[int, int],
        *,
        normalizes: bool,
        groups: tuple[int, int],
        factor: float,
        scoring: Scoring = Scoring.sigmoid,
    ) -> Routing:
        """The routing among experts, of which some are used, in groups, of which some are.

        A group is as good as its two best experts; where scores are probabilities, as its best.
        """
        count, used = experts
        num_groups, groups_used = groups
        if count % num_groups or groups_used * (count // num_groups) < used:
            raise reader.wrong(
                f"{used} of {count} experts cannot come from {groups_used} of {num_groups} groups"
            )
        return Routing(
            count,
            used,
            scoring,
            normalizes=normalizes,
            groups=num_groups,
            groups_used=groups_used,
            group_best=min(2 if scoring is Scoring.sigmoid else 1, count // num_groups),
            factor=factor,
            eps=self.SUM_EPS,
        )

    def _config_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        first = reader.integer("first_k_dense_replace", 0, 2**16, 0)
        shared = reader.integer("n_shared_experts", 0, 2**10, 0)
        return replace(mixture, shared=shared * mixture.hidden, dense=frozenset(range(first)))

    def _file_layers(self, reader: MetadataReader, mixture: Mixture) -> Mixture:
        first = reader.integer("leading_dense_block_count", 0, 2**16, 0)
        shared = reader.integer("expert_shared_count", 0, 2**10, 0)
        return replace(mixture, shared=shared * mixture.hidden, dense=frozenset(range(first)))

    def _choice_bias(self, name: str) -> str | None:
        return f"{name}.exp_probs_b.bias"
