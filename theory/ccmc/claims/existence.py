"""The claim about existence: maximum likelihood is finite exactly where choices connect the tokens, both ways."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from xarray import Dataset

from theory.ccmc.claims import assumptions as needs
from theory.ccmc.existence import arcs, mle_exists
from theory.ccmc.experiments.learning import DIVERGED, separation
from theory.ccmc.label_sets import label_sets
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain
from theory.core.vocabulary import Check, Claim, Rival, Symbol

Booleans = npt.NDArray[np.bool_]


def _existence(exists: npt.ArrayLike) -> Dataset:
    return Dataset({"exists": (("replicate", "last"), exists, {"long_name": "a finite estimate exists"})})


def _arcs(params: Params, chain: Chain) -> Booleans:
    return arcs(chain.counts, chain.last, label_sets(chain, params.replicates))


def _predict_existence(params: Params, chain: Chain) -> Dataset:
    return _existence(mle_exists(_arcs(params, chain)))


def _measure_existence(params: Params, chain: Chain, raw: Dataset) -> Dataset:
    """Rows whose fitted log-ratios stay where they are as a ridge vanishes."""
    return _existence(np.asarray(raw.growth.values < DIVERGED, dtype=np.bool_))


def _compare_existence(params: Params, chain: Chain, prediction: Dataset, measured: Dataset) -> tuple[Check, ...]:
    finite = measured.exists.values
    wrong = np.count_nonzero(finite != prediction.exists.values) / finite.size
    return (
        Check(
            name="share of rows judged wrongly",
            deviation=wrong,
            allowance=(0.0, 0.0),
            resolution=0.02,
            replicates=finite.size,
        ),
    )


def _flip(prediction: Dataset, amount: float) -> Dataset:
    exists = prediction.exists.values.copy()
    flipped = exists.reshape(-1)[: int(np.ceil(amount * exists.size))]
    flipped[:] = ~flipped
    return prediction.assign(exists=(("replicate", "last"), exists))


def _by_coverage(params: Params, chain: Chain) -> Dataset:
    """Whenever the prompts determine everything that they show: always."""
    return _existence(np.ones((len(_arcs(params, chain)), chain.vocab_size), dtype=np.bool_))


def _each_chosen(params: Params, chain: Chain) -> Dataset:
    """Each token that was among the keys was chosen at least once."""
    found = _arcs(params, chain)
    return _existence((found.any(axis=-1) | ~found.any(axis=-2)).all(axis=-1))


def _each_won_and_lost(params: Params, chain: Chain) -> Dataset:
    """Each token that was compared with others won at least once and lost at least once."""
    found = _arcs(params, chain) & ~np.eye(chain.vocab_size, dtype=np.bool_)
    return _existence((found.any(axis=-1) == found.any(axis=-2)).all(axis=-1))


mle_exists_claim = Claim(
    id="mle-exists",
    title="When learning has a finite answer",
    statement="After each last token, the maximum-likelihood estimate is finite exactly when every token that was "
    "compared with others was chosen over them, along arrows: the graph of who was chosen over whom is strongly "
    "connected. Otherwise some logits run away for ever.",
    latex=r"\hat A_k\ \text{finite}\iff \text{arcs } y_i \to j\ (j\in X_i,\ x_L=k)\ "
    r"\text{strongly connect each component}",
    short="A finite answer",
    symbols={
        r"\hat A_k": Symbol("estimated logits after last token k", "exists"),
        "y_i": Symbol("next token of prompt i", "labels"),
        "X_i": Symbol("prompt i", "sequences"),
    },
    source="ours, from Ford's condition for Bradley-Terry; companion of arXiv 2402.13512 for finite samples",
    kind="extension",
    defaults={"chain": "random", "vocab_size": 4, "n_samples": 150, "prompt_length": 4},
    uses=needs.DATA | {"replicates"},
    resolution=0.02,
    assumptions=lambda params, chain: (needs.full_support(chain),),
    predict=_predict_existence,
    measure=_measure_existence,
    compare=_compare_existence,
    mutate=_flip,
    experiment=separation,
    rivals=(
        Rival("coverage is enough", _by_coverage, {}, "asks only which tokens appear together, not who was chosen"),
        Rival(
            "everyone chosen once",
            _each_chosen,
            {"prompt_length": 2, "n_samples": 100},
            "forgets that a token may never lose",
        ),
        Rival(
            "everyone won and lost",
            _each_won_and_lost,
            {"vocab_size": 6, "n_samples": 600, "prompt_length": 3, "include_self": "no", "concentration": 0.5},
            "forgets groups of tokens that run away together",
        ),
    ),
    power="0 false alarms in 100 data sets of 100 rows; 4 of 100 rows predicted wrongly are rejected in all of them",
)
