"""The claim about what prompts can determine: one graph per last token, and its connected components."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.claims.measures import at_most
from theory.ccmc.experiments.coverage import SHORTEST_STEP, newton_fits
from theory.ccmc.parameters import Params
from theory.ccmc.probes import key_counts, probe_prompts
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import Coverage, coverage_of
from theory.core.vocabulary import Assumption, Check, Claim, Rival, Symbol

FIT_ERROR = 100 * SHORTEST_STEP
"""The last step bounds the error up to rounding, which grows as rows of P span more orders of magnitude."""
WIDEST_ROW = 1e6
"""Largest ratio in a row of P at which rounding stays two orders below that."""
SMALLEST_FREE_SPREAD = 0.02
"""A free offset is the difference of two means of up to K standard normal starts, of standard deviation 2/sqrt(K) or
more. For K up to 64 eight starts agree to 0.04 with probability below 1e-7, and some log-probability moves by half."""


def _comparable(chain: Chain) -> Assumption:
    """Float64 can tell a linked token from an unlinked one."""
    widest = float((chain.transition.max(axis=1) / np.maximum(chain.transition.min(axis=1), 1e-300)).max())
    return Assumption("entries of comparable size", widest <= WIDEST_ROW, f"largest ratio in a row {widest:.2g}")


def _described(params: Params, chain: Chain, found: Coverage, rank: int | None = None) -> Dataset:
    counts, last = key_counts(chain, probe_prompts(chain, params.prompt_length))
    rank = found.rank if rank is None else rank
    return Dataset(
        {
            "component": (("last", "token"), found.component, {"long_name": "smallest token of the component"}),
            "information_rank": ((), rank, {"long_name": "rank of the Fisher information"}),
            "law_known": (("prompt",), found.identifies(counts, last), {"long_name": "next-token law identifiable"}),
        }
    )


def _predict(params: Params, chain: Chain) -> Dataset:
    return _described(params, chain, coverage_of(chain.counts, chain.last))


def component_means(component: Integers, values: Floats) -> Floats:
    """Mean of ``values`` (..., K, K) over each component of each row, written at each of its tokens."""
    same = (component[:, :, None] == component[:, None, :]).astype(np.float64)
    return np.einsum("kij,...kj->...ki", same / same.sum(axis=2, keepdims=True), values)


def _measure(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Tokens whose fitted differences do not depend on the start belong together, and laws that do not are known."""
    fitted = raw.fitted.values
    apart = np.ptp(fitted[:, :, :, None] - fitted[:, :, None, :], axis=0)
    return raw.assign(
        component=(("last", "token"), (apart < SMALLEST_FREE_SPREAD / 2).argmax(axis=2)),
        law_known=raw.law_spread < SMALLEST_FREE_SPREAD / 2,
    )


def _compare(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    """Fits must end at log P within each component, with the mean that their start had there."""
    component = prediction.component.values
    logits = np.log(chain.transition)
    limit = logits - component_means(component, logits) + component_means(component, measured.started.values)
    missing_rank = float(prediction.information_rank - measured.information_rank)
    known, spread = prediction.law_known.values, measured.law_spread.values
    shortfall = SMALLEST_FREE_SPREAD - float(spread[~known].min(initial=inf)) if (~known).any() else 0.0
    return (
        at_most(
            "largest error of a fitted logit",
            np.abs(measured.fitted.values - limit).max(),
            FIT_ERROR,
            1e-3,
            raise_hint="n_samples",
        ),
        Check(name="rank of the Fisher information", deviation=missing_rank, allowance=(0.0, 0.0), resolution=1.0),
        at_most(
            "largest spread of a law said to be known",
            spread[known].max(initial=0.0),
            FIT_ERROR,
            1e-3,
            raise_hint="n_samples",
        ),
        at_most("missing spread of a law said to be free", max(shortfall, 0.0), 0.0, 1.0),
    )


def _pooled(params: Params, chain: Chain) -> Dataset:
    """One graph for all last tokens."""
    everywhere = coverage_of(chain.counts, np.zeros_like(chain.last))
    component = np.tile(everywhere.component[0], (chain.vocab_size, 1))
    return _described(params, chain, replace(everywhere, component=component))


def _cliques_only(params: Params, chain: Chain) -> Dataset:
    """A token is linked with those only that it occurs with in one prompt: no chains of prompts."""
    size = chain.vocab_size
    component = np.tile(np.arange(size), (size, 1))
    present = chain.counts > 0
    for k in range(size):
        table = present[chain.last == k].astype(np.int64)
        together = (table.T @ table > 0) | np.eye(size, dtype=bool)
        for token in range(size):
            group = np.flatnonzero(together[token])
            if together[np.ix_(group, group)].all():
                component[k, group] = np.minimum(component[k, group], group[0])
    return _described(params, chain, Coverage(component, coverage_of(chain.counts, chain.last).seen))


def _isolated_forgotten(params: Params, chain: Chain) -> Dataset:
    """Components counted among the tokens that occur, isolated ones left out."""
    found = coverage_of(chain.counts, chain.last)
    isolated = int(np.sum(np.sum(found.known, axis=2) == 1))
    return _described(params, chain, found, found.rank + isolated)


def _query_counted(params: Params, chain: Chain) -> Dataset:
    """The last token always put among the keys, masked or not."""
    counts = chain.counts.copy()
    counts[np.arange(len(counts)), chain.last] += 1
    return _described(params, chain, coverage_of(counts, chain.last))


def _split(prediction: Dataset, amount: float) -> Dataset:
    """Move ``amount`` tokens of the first rows out of (or into) the component of token 0."""
    changed = prediction.copy(deep=True)
    component = changed.component.values
    for last in range(min(int(amount), len(component))):
        linked = component[last, -1] == component[last, 0]
        component[last, -1] = component.shape[1] - 1 if linked else component[last, 0]
    return changed


coverage_connectivity = Claim(
    id="coverage-connectivity",
    title="Prompts determine a chain as far as they connect its tokens",
    statement="For each last token join the tokens that occur together in a prompt. Two entries of that row of P can "
    "be compared, from however much data, exactly when a chain of prompts connects their tokens; each extra component "
    "leaves one number free.",
    latex=r"A_{ki}-A_{kj}\ \text{identifiable}\iff i\sim j\ \text{in}\ \mathcal G_k,\qquad "
    r"\mathrm{rank}(\text{Fisher})=K^2-\sum_k c_k",
    short="What prompts determine",
    symbols={
        "A_{ki}": Symbol("logit of token i after last token k"),
        r"\mathcal G_k": Symbol("tokens joined when a prompt that ends in k has both", "component"),
        "c_k": Symbol("number of its components"),
        r"\mathrm{rank}(\text{Fisher})": Symbol("how many numbers the prompts determine", "information_rank"),
    },
    source="arXiv 2402.13512, consistency iff connected; the statement per component and the rank are ours",
    kind="theorem",
    defaults={
        "chain": "random",
        "vocab_size": 5,
        "n_samples": 300,
        "prompt_length": 4,
        "include_self": "no",
        "islands": 2,
        "unseen_pairs": 2,
    },
    uses=needs.DATA,
    resolution=1.0,
    assumptions=lambda params, chain: (needs.full_support(chain), _comparable(chain)),
    predict=_predict,
    measure=_measure,
    compare=_compare,
    mutate=_split,
    experiment=newton_fits,
    rivals=(
        Rival("one graph for all", _pooled, {}, "forgets that each last token has its own graph"),
        Rival(
            "together or not at all",
            _cliques_only,
            {"include_self": "yes", "islands": 1, "prompt_length": 2},
            "asks that two tokens share a prompt, and overlooks chains of prompts",
        ),
        Rival("isolated tokens forgotten", _isolated_forgotten, {}, "counts components of the tokens that occur"),
        Rival("query always a key", _query_counted, {}, "links every token through a query that is masked out"),
    ),
    power="0 false alarms in 200 instances and in 400 over all sliders, fits used at most 0.1% of their allowance; "
    "one token in a wrong component was rejected in all 200, as was each rival at its witness",
)
