"""The claims of "Fine-grained Analysis of In-context Linear Estimation" (arXiv 2407.10005) and of our extensions."""

from __future__ import annotations

from theory.core.vocabulary import Claim, Paper, Room, Symbol
from theory.icl.claims.aligned import icl_rag_risk, icl_task_feature_alignment
from theory.icl.claims.approximations import icl_alignment_approximation, icl_rag_approximation
from theory.icl.claims.drifting import icl_h3_drift, icl_h3_kalman
from theory.icl.claims.equivalence import icl_pgd_equivalence
from theory.icl.claims.factored import icl_factored_landscape
from theory.icl.claims.landscape import icl_convex_landscape
from theory.icl.claims.length import icl_length_generalisation
from theory.icl.claims.optimum import icl_independent_optimum
from theory.icl.claims.ranks import icl_lora, icl_low_rank
from theory.icl.claims.softmax import icl_softmax_contrast
from theory.icl.claims.weighted_equivalence import icl_h3_wpgd_equivalence
from theory.icl.data import active, bounds, draw
from theory.icl.own.read import load
from theory.icl.parameters import Params
from theory.icl.presets import PRESETS
from theory.icl.problem import Regression

PAPER = Paper(
    authors="Yingcong Li, Ankit Singh Rawat, Samet Oymak",
    title="Fine-grained Analysis of In-context Linear Estimation: Data, Architecture, and Beyond",
    year=2024,
    venue="NeurIPS",
    arxiv="2407.10005",
    bibtex="""@inproceedings{li2024finegrained,
  title     = {Fine-grained Analysis of In-context Linear Estimation: Data, Architecture, and Beyond},
  author    = {Li, Yingcong and Rawat, Ankit Singh and Oymak, Samet},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS)},
  year      = {2024},
  eprint    = {2407.10005},
  archivePrefix = {arXiv}
}
""",
)

CLAIMS: tuple[Claim[Params, Regression], ...] = (
    icl_pgd_equivalence,
    icl_h3_wpgd_equivalence,
    icl_independent_optimum,
    icl_convex_landscape,
    icl_factored_landscape,
    icl_rag_risk,
    icl_rag_approximation,
    icl_task_feature_alignment,
    icl_alignment_approximation,
    icl_low_rank,
    icl_lora,
    icl_h3_drift,
    icl_h3_kalman,
    icl_length_generalisation,
    icl_softmax_contrast,
)

ROOM = Room(
    id="icl",
    title="In-context learning",
    finding="Attention takes one preconditioned gradient step",
    paper=PAPER,
    Params=Params,
    claims=CLAIMS,
    draw=draw,
    load=load,
    bounds=bounds,
    presets=PRESETS,
    active=active,
    symbols={
        "n": Symbol("context length: examples in a prompt", "context_length"),
        "d": Symbol("dimension of the features", "dim"),
        "x": Symbol("features of the query"),
        "X": Symbol("features of the examples, one a row"),
        "y": Symbol("labels of the examples"),
        "W": Symbol("preconditioner of the gradient step"),
        "L": Symbol("risk: mean squared error, label noise included"),
        "M": Symbol("power of the labels: the risk of predicting 0"),
        "A": Symbol("task covariance in whitened features"),
        r"\Sigma_x": Symbol("feature covariance", "feature_covariance"),
        r"\sigma^2": Symbol("variance of the label noise", "noise_variance"),
        r"\alpha": Symbol("alignment of the examples", "alignment"),
    },
)
