"""How often each token is drawn, against its exact probability: one sampler, then ten chains."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from foretell.decoding.philox import uniform
from foretell.decoding.processors.adaptive import AdaptiveP
from foretell.decoding.processors.dynamic_temperature import DynamicTemperature
from foretell.decoding.processors.entropy_samplers import EpsilonCutoff, EtaCutoff, TopH, TypicalP
from foretell.decoding.processors.mirostat import MirostatV1, MirostatV2
from foretell.decoding.processors.sigma import TopNSigma
from foretell.decoding.processors.temperature import Temperature
from foretell.decoding.processors.truncation import MinP, TopK, TopP
from foretell.decoding.processors.xtc import XTC
from foretell.decoding.sampler import draw

NUM_DRAWS = 3000
FEWEST = 5  # draws expected of a token, below which it is counted with others
SIZE = 60
ROW = (np.random.default_rng(8).normal(size=SIZE) * 1.5).astype(np.float32)
ROW[::9] = -np.inf
RAW = np.exp(ROW.astype(np.float64) - ROW.max())
RAW /= RAW.sum()


def normalized(weights):
    return weights / weights.sum()


def entropy_of(p):
    return -sum(x * np.log(x) for x in p if x > 0)


def ranked(p):
    """Ids of the possible tokens, likeliest first."""
    return [i for i in np.argsort(-p, kind="stable") if p[i] > 0]


def only(p, ids):
    """P given that the token is one of these."""
    return normalized(np.where(np.isin(np.arange(len(p)), list(ids)), p, 0))


def until(p, order, mass):
    """The first of the ids in this order whose probability reaches the mass."""
    kept, reached = [], 0.0
    for i in order:
        kept.append(i)
        reached += p[i]
        if reached >= mass:
            break
    return only(p, kept)


def temperature(p, t):
    return normalized(p ** (1 / t))


def dynamic(p, t, spread, exponent):
    share = entropy_of(p) / np.log(np.count_nonzero(p))
    low, high = max(0.0, t - spread), t + spread
    return temperature(p, low + (high - low) * share**exponent)


def top_k(p, k):
    return only(p, ranked(p)[:k])


def top_p(p, mass):
    return until(p, ranked(p), mass)


def min_p(p, share):
    return normalized(np.where(p >= share * p.max(), p, 0))


def typical(p, mass):
    order = sorted(ranked(p), key=lambda i: abs(-np.log(p[i]) - entropy_of(p)))
    return until(p, order, mass)


def cutoff(p, epsilon):
    return normalized(np.where(p >= epsilon, p, 0))


def eta(p, epsilon):
    return cutoff(p, min(epsilon, epsilon**0.5 * np.exp(-entropy_of(p))))


def top_h(p, share):
    kept, spent = [], 0.0
    for i in ranked(p):
        spent -= p[i] * np.log(p[i])
        if kept and spent > share * entropy_of(p):
            break
        kept.append(i)
    return only(p, kept)


def sigma(p, n):
    x = np.log(p[p > 0])  # the logits but for a shift
    return normalized(np.where(p >= np.exp(x.max() - n * x.std()), p, 0))


def xtc(p, probability, threshold):
    gone = [i for i in ranked(p) if p[i] >= threshold][:-1]
    taken = only(p, [i for i in range(len(p)) if i not in gone])
    return probability * taken + (1 - probability) * p


def mirostat_1(p, tau):
    falling = np.sort(p)[::-1]
    falling = falling[falling > 0]
    t = np.log((np.arange(len(falling) - 1) + 2) / (np.arange(len(falling) - 1) + 1))
    s = (t * np.log(falling[:-1] / falling[1:])).sum() / (t * t).sum()
    return top_k(p, int(((s - 1) * 2 ** (2 * tau) / (1 - SIZE ** (1 - s))) ** (1 / s)))


def mirostat_2(p, tau):
    return cutoff(p, 2.0 ** (-2 * tau))


def adaptive(p, target):
    d = np.abs(p - target) / 0.3
    return normalized(np.where(p > 0, np.exp(5 - 10 * d * d / (1 + d)), 0))


SEED = 17
SINGLE = {
    "nothing": ([], RAW),
    "temperature": ([Temperature(0.7)], temperature(RAW, 0.7)),
    "hot": ([Temperature(1.8)], temperature(RAW, 1.8)),
    "dynamic_temperature": ([DynamicTemperature(1.1, 0.6, 1.5)], dynamic(RAW, 1.1, 0.6, 1.5)),
    "top_k": ([TopK(7)], top_k(RAW, 7)),
    "top_p": ([TopP(0.8)], top_p(RAW, 0.8)),
    "min_p": ([MinP(0.15)], min_p(RAW, 0.15)),
    "typical_p": ([TypicalP(0.6)], typical(RAW, 0.6)),
    "epsilon_cutoff": ([EpsilonCutoff(0.02)], cutoff(RAW, 0.02)),
    "eta_cutoff": ([EtaCutoff(0.03)], eta(RAW, 0.03)),
    "top_h": ([TopH(0.4)], top_h(RAW, 0.4)),
    "top_n_sigma": ([TopNSigma(1.3)], sigma(RAW, 1.3)),
    "xtc": ([XTC(0.4, 0.06, SEED)], xtc(RAW, 0.4, 0.06)),
    "mirostat_1": ([MirostatV1(3.0, 0.1, SIZE)], mirostat_1(RAW, 3.0)),
    "mirostat_2": ([MirostatV2(2.2, 0.1)], mirostat_2(RAW, 2.2)),
    "adaptive_p": ([AdaptiveP(0.1, 0.9)], adaptive(RAW, 0.1)),
}
CHAINS = {
    "temperature, top-k, top-p": (
        [Temperature(1.3), TopK(20), TopP(0.9)],
        top_p(top_k(temperature(RAW, 1.3), 20), 0.9),
    ),
    "top-k, top-p, temperature": (
        [TopK(20), TopP(0.9), Temperature(1.3)],
        temperature(top_p(top_k(RAW, 20), 0.9), 1.3),
    ),
    "min-p, temperature": ([MinP(0.1), Temperature(2.0)], temperature(min_p(RAW, 0.1), 2.0)),
    "temperature, min-p, typical": (
        [Temperature(1.5), MinP(0.05), TypicalP(0.7)],
        typical(min_p(temperature(RAW, 1.5), 0.05), 0.7),
    ),
    "top-p, dynamic temperature": (
        [TopP(0.85), DynamicTemperature(1.0, 0.8, 2.0)],
        dynamic(top_p(RAW, 0.85), 1.0, 0.8, 2.0),
    ),
    "top-k, XTC, temperature": (
        [TopK(15), XTC(0.5, 0.08, SEED), Temperature(1.0)],
        xtc(top_k(RAW, 15), 0.5, 0.08),
    ),
    "top-n-sigma, top-h": ([TopNSigma(2.0), TopH(0.6)], top_h(sigma(RAW, 2.0), 0.6)),
    "epsilon, eta, top-k": (
        [EpsilonCutoff(0.005), EtaCutoff(0.05), TopK(12)],
        top_k(eta(cutoff(RAW, 0.005), 0.05), 12),
    ),
    "temperature, mirostat 2": (
        [Temperature(1.4), MirostatV2(2.4, 0.1)],
        mirostat_2(temperature(RAW, 1.4), 2.4),
    ),
    "min-p, adaptive-p": ([MinP(0.1), AdaptiveP(0.15, 0.9)], adaptive(min_p(RAW, 0.1), 0.15)),
}


def counts_of(processors, seed):
    """How often each token is drawn, at as many positions; nothing is learnt between them."""
    counts = np.zeros(SIZE)
    for position in range(1, NUM_DRAWS + 1):
        row = ROW.copy()
        history = SimpleNamespace(index=0, tokens=range(position), num_prompt_tokens=1)
        for processor in processors:
            processor(row, history)
        counts[draw(row, uniform(seed, 0, position))] += 1
    return counts


def p_value(counts, expected):
    """Pearson's chi-square; tokens that are too rare to count alone are counted together."""
    rare = expected < FEWEST
    if 0 < expected[rare].sum() < FEWEST:
        rare |= expected == expected[~rare].min()
    cells = np.append(counts[~rare], counts[rare].sum())
    means = np.append(expected[~rare], expected[rare].sum())
    cells, means = cells[means > 0], means[means > 0]
    if len(means) == 1:
        return 1.0
    statistic = ((cells - means) ** 2 / means).sum()
    half = torch.tensor([(len(means) - 1) / 2, statistic / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(half[0], half[1]))


@pytest.mark.parametrize("name", [*SINGLE, *CHAINS])
def test_tokens_are_drawn_as_often_as_they_should_be(name):
    processors, probabilities = (SINGLE | CHAINS)[name]
    assert np.count_nonzero(probabilities) > 2
    counts = counts_of(processors, SEED)
    assert not counts[probabilities == 0].any()
    assert p_value(counts, probabilities * NUM_DRAWS) > 1e-4


def test_the_comparison_can_fail():
    counts = counts_of([Temperature(0.9)], SEED)
    assert p_value(counts, RAW * NUM_DRAWS) < 1e-4
