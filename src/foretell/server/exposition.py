"""The metrics as Prometheus reads them. The only file that imports `prometheus_client`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPEN_METRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from foretell.engine.stats import EngineStats
from foretell.server.metrics import HISTOGRAMS, Histogram, Metrics

PREFIXES = ("vllm:", "foretell:")
LABELS = ("model_name", "engine")
ENGINE = "0"

Bucket = tuple[str, float] | tuple[str, float, Exemplar]

LONGEST_ID = 100
"""An exemplar's labels may have 128 characters."""

Read = tuple[str, Callable[[EngineStats], float]]
"""What a metric is, and how it is read off."""

GAUGES: Mapping[str, Read] = {
    "num_requests_running": ("Requests that hold KV blocks.", lambda stats: stats.running),
    "num_requests_waiting": ("Requests that wait to run.", lambda stats: stats.waiting),
    "kv_cache_usage_perc": (
        "The share of KV blocks that requests hold, 0 to 1.",
        lambda stats: 1 - stats.free_blocks / stats.num_blocks,
    ),
}
COUNTERS: Mapping[str, Read] = {
    "prompt_tokens": ("Prompt tokens.", lambda stats: stats.prompt_tokens),
    "generation_tokens": ("Generated tokens.", lambda stats: stats.generated_tokens),
    "num_preemptions": ("Requests that gave back their blocks.", lambda stats: stats.preemptions),
    "prefix_cache_queries": ("Tokens looked up in the cache.", lambda stats: stats.prompt_tokens),
    "prefix_cache_hits": ("Tokens found in the cache.", lambda stats: stats.cached_tokens),
    "draft_tokens": ("Tokens guessed and verified.", lambda stats: stats.draft_tokens),
    "accepted_tokens": ("Guessed tokens that were right.", lambda stats: stats.accepted_tokens),
}
VLLM_NAMES: Mapping[str, str] = {
    "draft_tokens": "spec_decode_num_draft_tokens",
    "accepted_tokens": "spec_decode_num_accepted_tokens",
}
"""Where vLLM's dashboards know a metric by another name."""


def expose(metrics: Metrics, model: str, accept: str) -> tuple[bytes, str]:
    """All metrics in the form that is accepted, and the type of that form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics, model))
    if "application/openmetrics-text" not in accept:
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
    # no name here needs to be escaped; asked to do so, the library loses the colons of samples
    encode: Callable[..., bytes] = generate_open_metrics
    return encode(registry, escaping="allow-utf-8"), OPEN_METRICS


class _Collector(Collector):
    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics = metrics
        self._labels = (model, ENGINE)

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry of its own has no other names to compare with."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Each metric under all of its names."""
        for prefix in PREFIXES:
            if self._metrics.stats is not None:
                yield from self._of_engine(prefix, self._metrics.stats)
            yield self._finished(prefix)
            for name, histogram in self._metrics.histograms.items():
                yield self._histogram(f"{prefix}{name}", HISTOGRAMS[name][1], histogram)
        yield self._responses()

    def _of_engine(self, prefix: str, stats: EngineStats) -> Iterator[Metric]:
        for name, (about, read) in GAUGES.items():
            gauge = GaugeMetricFamily(prefix + name, about, labels=LABELS)
            gauge.add_metric(self._labels, read(stats))
            yield gauge
        for name, (about, read) in COUNTERS.items():
            known_as = VLLM_NAMES.get(name, name) if prefix == "vllm:" else name
            counter = CounterMetricFamily(prefix + known_as, about, labels=LABELS)
            counter.add_metric(self._labels, read(stats))
            yield counter

    def _finished(self, prefix: str) -> Metric:
        about, labels = "Texts that have ended, by the reason.", (*LABELS, "finished_reason")
        family = CounterMetricFamily(f"{prefix}request_success", about, labels=labels)
        for reason, count in self._metrics.finish_reasons.items():
            family.add_metric((*self._labels, reason), count)
        return family

    def _responses(self) -> Metric:
        about, labels = "Answers, by the status; 0: the client left before.", (*LABELS, "status")
        family = CounterMetricFamily("foretell:http_responses", about, labels=labels)
        for status, count in sorted(self._metrics.statuses.items()):
            family.add_metric((*self._labels, str(status)), count)
        return family

    def _histogram(self, name: str, about: str, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily(name, about, labels=LABELS)
        family.add_metric(self._labels, list(_buckets(histogram)), histogram.total)
        return family


def _buckets(histogram: Histogram) -> Iterator[Bucket]:
    """Bounds, the values up to each, and a request among those of the bucket."""
    seen = 0
    bounds = [*map(str, histogram.bounds), "+Inf"]
    for index, (bound, count) in enumerate(zip(bounds, histogram.counts, strict=True)):
        seen += count
        found = histogram.exemplars.get(index)
        if found is None or len(found.request_id) > LONGEST_ID:
            yield bound, seen
        else:
            labels = {"request_id": found.request_id}
            yield bound, seen, Exemplar(labels, found.value, found.when)
