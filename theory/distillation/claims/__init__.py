"""The claims of "High-dimensional Analysis of Knowledge Distillation" (arXiv 2410.18837) and of our extensions."""

from __future__ import annotations

from theory.core.vocabulary import Claim, Paper, Room, Symbol
from theory.distillation.claims.extensions import generations_claim
from theory.distillation.claims.features import feature_universality
from theory.distillation.claims.fluctuations import finite_sample_band
from theory.distillation.claims.gain import w2s_gain_bounds
from theory.distillation.claims.mask import optimal_mask_claim
from theory.distillation.claims.networks import trained_network_w2s
from theory.distillation.claims.penalties import ridge_versus_teacher
from theory.distillation.claims.risk import omniscient_risk
from theory.distillation.claims.rotation import rotated_teacher
from theory.distillation.claims.scaling import scaling_law
from theory.distillation.claims.surrogate import optimal_surrogate_claim
from theory.distillation.claims.two_stage import two_stage_claim
from theory.distillation.data import active, bounds, draw
from theory.distillation.own.read import load
from theory.distillation.parameters import Params
from theory.distillation.presets import PRESETS
from theory.distillation.problem import Regression

PAPER = Paper(
    authors="M. Emrullah Ildiz, Halil Alperen Gozeten, Ege Onur Taga, Marco Mondelli, Samet Oymak",
    title="High-dimensional Analysis of Knowledge Distillation: Weak-to-Strong Generalization and Scaling Laws",
    year=2025,
    venue="ICLR",
    arxiv="2410.18837",
    bibtex="""@inproceedings{ildiz2025distillation,
  title     = {High-dimensional Analysis of Knowledge Distillation: Weak-to-Strong Generalization and Scaling Laws},
  author    = {Ildiz, M. Emrullah and Gozeten, Halil Alperen and Taga, Ege Onur and Mondelli, Marco and Oymak, Samet},
  booktitle = {International Conference on Learning Representations (ICLR)},
  year      = {2025},
  eprint    = {2410.18837},
  archivePrefix = {arXiv}
}
""",
)

SYMBOLS = {
    "R": Symbol("excess risk: what a student loses beside the truth", "risk"),
    r"\lambda_i": Symbol("variance of the data along feature i", "eigenvalues"),
    r"\beta_{\star,i}": Symbol("true coefficient of feature i", "signal"),
    r"\zeta_i": Symbol("share of feature i that the student does not learn", "unlearnt_fraction"),
    r"\Omega": Symbol("overfitting: the share of the samples that fits noise", "overfitting"),
    r"\sigma^2": Symbol("variance of the noise on the labels that the student sees", "noise_variance_target"),
    "n": Symbol("training samples of the student", "n_samples"),
}

CLAIMS: tuple[Claim[Params, Regression], ...] = (
    omniscient_risk,
    optimal_surrogate_claim,
    optimal_mask_claim,
    w2s_gain_bounds,
    scaling_law,
    finite_sample_band,
    two_stage_claim,
    rotated_teacher,
    generations_claim,
    ridge_versus_teacher,
    feature_universality,
    trained_network_w2s,
)

ROOM = Room(
    id="distillation",
    title="Knowledge distillation",
    finding="The best teacher is not the truth",
    paper=PAPER,
    Params=Params,
    claims=CLAIMS,
    draw=draw,
    load=load,
    bounds=bounds,
    presets=PRESETS,
    active=active,
    symbols=SYMBOLS,
)
