"""A person's own prompts with next tokens: the fitted chain with confidence intervals, judged on held-out prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from theory.ccmc.design import Design
from theory.ccmc.existence import Existence, existence_of
from theory.ccmc.fisher import Information, fisher_blocks
from theory.ccmc.fitting import fit_rows, wins_of
from theory.ccmc.mapping import weighted_next
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import Coverage, coverage_of
from theory.core.errors import DataError


@dataclass(frozen=True)
class LogRatio:
    """The estimate of log P[last, token] / P[last, reference] in nats, with its confidence interval.

    ``chosen`` counts how often the token came next after ``last``. Where the estimate runs away, ``estimate`` is that
    of the ridge, ``standard_error`` is None and the interval is infinite.
    """

    last: int
    token: int
    reference: int
    estimate: float
    standard_error: float | None
    low: float
    high: float
    chosen: int


@dataclass(frozen=True, eq=False)
class FitReport:
    """The chain that fits observed next tokens best, and what is known about it.

    ``transition`` (K, K) is normalised within each component of what the prompts determine; across components and in
    rows without data it says nothing, and holds equal shares. ``ridge_rows`` are last tokens whose maximum-likelihood
    estimate does not exist: they have a Gaussian prior of variance 1 on each logit instead. ``ratios`` compare each
    token with the one most often chosen in its component. ``n`` is the number of next tokens.
    """

    transition: Floats
    ratios: tuple[LogRatio, ...]
    existence: Existence
    covered: Coverage
    ridge_rows: tuple[int, ...]
    level: float
    n: int
    summary: str


def fit_report(chain: Chain, *, level: float = 0.95) -> FitReport:
    """Fit the next tokens that were observed after the prompts of ``chain``.

    Intervals are estimate ± z·standard error with standard errors from the Fisher information at the estimate; they
    cover the truth with probability ``level`` as n grows.

    Raises:
        DataError: ``no_labels``, the chain has no observed next tokens.
    """
    if not chain.has_labels:
        raise DataError("no_labels", "these prompts have no observed next tokens to fit.")
    found, covered = existence_of(chain.counts, chain.last, chain.chosen), coverage_of(chain.counts, chain.last)
    wins = wins_of(chain.last, chain.chosen)
    logits = _logits(chain, wins, found)
    fitted = np.exp(logits - logits.max(axis=1, keepdims=True))
    fitted /= fitted.sum(axis=1, keepdims=True)
    information = Information(fisher_blocks(chain.counts, chain.last, chain.weight, fitted), covered)
    covariance = information.inverse / chain.n_samples
    z = float(ndtri(0.5 + level / 2))

    def compared(k: int, token: int, reference: int) -> LogRatio:
        estimate, error, reach = float(logits[k, token] - logits[k, reference]), None, np.inf
        if found.exists[k]:
            block = covariance[k]
            error = float(np.sqrt(block[token, token] + block[reference, reference] - 2 * block[token, reference]))
            reach = z * error
        chosen = int(wins[k, token])
        return LogRatio(k, token, reference, estimate, error, estimate - reach, estimate + reach, chosen)

    kept: list[LogRatio] = []
    for k in range(chain.vocab_size):
        for tokens in covered.components(k):
            reference = tokens[int(wins[k, list(tokens)].argmax())]
            kept += [compared(k, token, reference) for token in tokens if token != reference]
    ridge_rows = tuple(np.flatnonzero(~found.exists).tolist())
    summary = f"{len(kept)} log-ratios estimated from {chain.n_samples:,} next tokens"
    if ridge_rows:
        names = ", ".join(chain.name(k) for k in ridge_rows)
        summary += f"; after {names} some tokens were never chosen over others: a ridge keeps their estimates finite"
    return FitReport(fitted, tuple(kept), found, covered, ridge_rows, level, chain.n_samples, summary + ".")


def held_out_losses(training: Chain, fitted: Floats, held_out: Design) -> Mapping[str, float]:
    """Mean log-loss in nats of held-out next tokens: the fitted attention layer, and what it has to beat.

    ``attention``: π ∝ N·P̂. ``copying``: π = N/L, a layer that attends everywhere alike. ``bigram`` and ``unigram``:
    frequencies of next tokens in the training part with one added to each, with and without the last token, which do
    not look at the prompt. A next token to which a law gives no chance makes its loss infinite.

    Raises:
        DataError: ``no_labels``, a part has no observed next tokens.
    """
    if not training.has_labels or not len(held_out.chosen) or not held_out.chosen.sum():
        raise DataError("no_labels", "both parts need observed next tokens.")
    wins = wins_of(training.last, training.chosen) + 1.0
    total = wins.sum(axis=0)
    counts = held_out.counts.astype(np.float64)
    laws = {
        "attention": weighted_next(counts, held_out.last, fitted),
        "copying": counts / counts.sum(axis=1, keepdims=True),
        "bigram": (wins / wins.sum(axis=1, keepdims=True))[held_out.last],
        "unigram": np.broadcast_to(total / total.sum(), counts.shape),
    }
    return {name: _log_loss(held_out.chosen, law) for name, law in laws.items()}


def _logits(chain: Chain, wins: Integers, found: Existence) -> Floats:
    """Maximum-likelihood logits (K, K); rows without a finite estimate get a Gaussian prior of variance 1."""
    logits = fit_rows(chain.counts, chain.last, chain.weight, wins[None]).logits[0]
    for k in np.flatnonzero(~found.exists).tolist():
        rows = chain.last == k
        weight = chain.weight[rows]
        ridge = 1 / float(weight.sum())
        logits[k] = fit_rows(chain.counts[rows], chain.last[rows], weight, wins[None], ridge=ridge).logits[0, k]
    return logits


def _log_loss(chosen: Integers, law: Floats) -> float:
    seen = chosen > 0
    with np.errstate(divide="ignore"):
        return -float(np.sum(chosen[seen] * np.log(law[seen]))) / float(chosen.sum())
