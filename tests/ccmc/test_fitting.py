"""Batched fits against the shared choice model, choix, and the law of the likelihood ratio; own-data reports."""

from __future__ import annotations

from dataclasses import replace

import choix
import numpy as np
import pytest

from theory.ccmc.data import draw
from theory.ccmc.design import given_design
from theory.ccmc.experiments.learning import fits
from theory.ccmc.fitting import centred, fit_rows, log_likelihood, wins_of
from theory.ccmc.label_sets import drawn_labels, label_sets, next_laws
from theory.ccmc.own.held_out import score
from theory.ccmc.own.report import fit_report, held_out_losses
from theory.ccmc.parameters import Params
from theory.ccmc.prompt_coverage import coverage_of
from theory.core.errors import Cancelled, DataError
from theory.core.vocabulary import Replicate
from theory.shared.choice import fit_choice

PARAMS = Params(chain="random", vocab_size=4, concentration=2.0, n_samples=2000)


def silent(fraction: float, partial: object) -> None:
    pass


def test_agrees_with_the_choice_model_row_by_row() -> None:
    chain = draw(PARAMS, 0)
    sets = label_sets(chain, 5)
    wins = wins_of(chain.last, sets)
    found = fit_rows(chain.counts, chain.last, chain.weight, wins)
    assert found.converged.all() and found.steps.max() < 10
    for index, chosen in enumerate(sets):
        loss = 0.0
        for k in range(4):
            prompts, tokens = np.nonzero(chosen * (chain.last == k)[:, None])
            alone = fit_choice(chain.counts[prompts], tokens, chosen[prompts, tokens])
            np.testing.assert_allclose(found.logits[index, k], alone.scores, atol=1e-9)
            loss += alone.loss
        value = log_likelihood(chain.counts, chain.last, chain.weight, wins, found.logits)[index]
        choices = np.sum(chosen * np.log(np.maximum(chain.counts, 1)))
        assert value + choices == pytest.approx(-loss, rel=1e-12)


def test_agrees_with_choix_where_no_token_repeats() -> None:
    rng = np.random.default_rng(0)
    sequences, labels = [], []
    for _ in range(400):
        others = rng.permutation(4)[:2]
        sequences.append([*others.tolist(), 4])
        labels.append(int(rng.choice([*others.tolist(), 4])))
    design = given_design(sequences, labels, 5)
    wins = wins_of(design.last, design.chosen[None])
    found = fit_rows(design.counts, design.last, design.weight, wins).logits[0, 4]
    top1 = [(label, [t for t in sequence if t != label]) for sequence, label in zip(sequences, labels, strict=True)]
    for reference in (choix.opt_top1(5, top1, tol=1e-12), choix.ilsr_top1(5, top1, tol=1e-12)):
        np.testing.assert_allclose(found, reference - reference.mean(), atol=1e-7)


def test_a_fit_does_not_depend_on_its_neighbours() -> None:
    chain = draw(PARAMS, 1)
    wins = wins_of(chain.last, label_sets(chain, 6))
    together = fit_rows(chain.counts, chain.last, chain.weight, wins).logits
    for index in range(6):
        alone = fit_rows(chain.counts, chain.last, chain.weight, wins[index : index + 1]).logits[0]
        np.testing.assert_allclose(together[index], alone, atol=1e-10)


def test_unidentified_directions_stay_at_zero() -> None:
    params = PARAMS.with_values(vocab_size=5, islands=2, include_self="no", n_samples=4000)
    chain = draw(params, 0)
    component = coverage_of(chain.counts, chain.last).component
    found = fit_rows(chain.counts, chain.last, chain.weight, wins_of(chain.last, label_sets(chain, 2)))
    np.testing.assert_allclose(centred(found.logits, component), found.logits, atol=1e-12)
    alone = component == np.arange(5)
    sizes = (component[:, :, None] == component[:, None, :]).sum(axis=2)
    assert np.abs(found.logits[:, alone & (sizes == 1)]).max(initial=0.0) == 0


def test_a_ridge_makes_every_estimate_finite() -> None:
    counts, last = np.array([[1, 1]]), np.array([0])
    wins = np.array([[[5, 0], [0, 0]]])
    found = fit_rows(counts, last, np.array([5]), wins, ridge=1e-3)
    gap = found.logits[0, 0, 0]
    assert found.converged.all()
    assert 1 / (1 + np.exp(2 * gap)) == pytest.approx(1e-3 * gap, rel=1e-9)


def test_label_sets_are_what_was_observed_or_have_the_law_of_the_chain() -> None:
    chain = draw(PARAMS.with_values(n_samples=100), 0)
    laws = next_laws(chain)
    mass = chain.counts * chain.transition[chain.last]
    np.testing.assert_allclose(laws, mass / mass.sum(axis=1, keepdims=True), atol=1e-15)
    generator = np.random.default_rng(0)
    draws = np.stack([drawn_labels(chain, laws, generator) for _ in range(2000)])
    assert (draws.sum(axis=2) == chain.weight).all() and (draws[:, chain.counts == 0] == 0).all()
    expected = chain.weight[:, None] * laws
    error = np.sqrt(expected * (1 - laws) / 2000) + 1e-9
    assert np.abs((draws.mean(axis=0) - expected) / error).max() < 5
    observed = replace(chain, chosen=draws[0])
    np.testing.assert_array_equal(label_sets(observed, 7), draws[:1])
    np.testing.assert_array_equal(label_sets(chain, 3)[:2], label_sets(chain, 2))


def test_fits_measure_what_they_say() -> None:
    chain = draw(PARAMS.with_values(embedding="gaussian"), 0)
    params = PARAMS.with_values(replicates=4)
    raw = fits.run(params, [Replicate(chain, 7)], "cpu", silent, lambda: False)[0]
    again = fits.run(params.with_values(replicates=2), [Replicate(chain, 7)], "cpu", silent, lambda: False)[0]
    np.testing.assert_allclose(raw.squared_error[:2], again.squared_error, rtol=1e-9)
    laws = next_laws(chain)
    chosen = drawn_labels(chain, laws, np.random.default_rng((7, 1)))
    wins = wins_of(chain.last, chosen[None])
    logits = fit_rows(chain.counts, chain.last, chain.weight, wins).logits[0]
    truth = np.log(chain.transition) - np.log(chain.transition).mean(axis=1, keepdims=True)
    assert raw.squared_error[1] == pytest.approx(np.sum((logits - truth) ** 2), rel=1e-9)
    mass = chain.counts * np.exp(logits)[chain.last]
    fitted = mass / mass.sum(axis=1, keepdims=True)
    seen = laws > 0
    divergence = np.where(seen, laws * np.log(np.where(seen, laws, 1) / np.where(seen, fitted, 1)), 0).sum(axis=1)
    assert raw.kl[1] == pytest.approx(divergence @ chain.weight / chain.n_samples, rel=1e-8)
    gained = np.sum(chosen[seen] * np.log(fitted[seen] / laws[seen]))
    assert raw.likelihood_ratio[1] == pytest.approx(2 * gained, rel=1e-8)
    assert raw.exists.all() and (raw.weights_error > 0).all()
    with pytest.raises(Cancelled):
        fits.run(params, [Replicate(chain, 7)], "cpu", silent, lambda: True)


def test_fits_say_where_no_estimate_exists() -> None:
    chain = draw(PARAMS.with_values(n_samples=100, concentration=0.5), 0)
    raw = fits.run(PARAMS, [Replicate(chain, 0)], "cpu", silent, lambda: False)[0]
    assert not raw.exists.all() and np.isnan(raw.squared_error.values[~raw.exists.values]).all()
    zeros = replace(chain, transition=np.eye(4))
    assert "not_run" in fits.run(PARAMS, [Replicate(zeros, 0)], "cpu", silent, lambda: False)[0].attrs


def test_confidence_intervals_cover_the_truth_as_often_as_they_say() -> None:
    chain = draw(PARAMS.with_values(n_samples=3000), 0)
    inside = total = 0
    for chosen in label_sets(chain, 60):
        report = fit_report(replace(chain, chosen=chosen), level=0.9)
        assert not report.ridge_rows and len(report.ratios) == 12
        for ratio in report.ratios:
            truth = np.log(chain.transition[ratio.last, ratio.token] / chain.transition[ratio.last, ratio.reference])
            inside += ratio.low <= truth <= ratio.high
            total += 1
    # Ratios of one fit share a reference: as if a third of them were independent.
    assert abs(inside / total - 0.9) < 4 * np.sqrt(0.9 * 0.1 / (total / 3))


def test_report_uses_a_ridge_where_no_estimate_exists_and_says_so() -> None:
    design = given_design([[0, 1], [0, 1], [1, 0], [1, 0]], [1, 1, 0, 1], 2)
    chain = replace(
        draw(Params(), 0), counts=design.counts, last=design.last, weight=design.weight, chosen=design.chosen
    )
    report = fit_report(chain)
    assert report.ridge_rows == (1,) and "ridge" in report.summary
    runaway = next(ratio for ratio in report.ratios if ratio.last == 1)
    assert runaway.standard_error is None and runaway.low == -np.inf and np.isfinite(runaway.estimate)
    with pytest.raises(DataError, match="no observed next tokens"):
        fit_report(draw(Params(), 0))


def test_held_out_losses_rank_the_true_model_first() -> None:
    chain = draw(PARAMS.with_values(n_samples=6000), 0)
    first, second = label_sets(chain, 2)
    training = replace(chain, chosen=first)
    rest = given_design([[0, 1]], None, 4)
    held_out = replace(rest, counts=chain.counts, last=chain.last, weight=chain.weight, chosen=second)
    fitted = fit_report(training).transition
    losses = held_out_losses(training, fitted, held_out)
    assert min(losses, key=losses.__getitem__) == "attention"
    assert losses["attention"] == pytest.approx(score(held_out, fitted).log_loss, rel=1e-12)
    assert losses["bigram"] < losses["unigram"]
