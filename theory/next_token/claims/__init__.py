"""The claims of "Mechanics of Next Token Prediction with Self-Attention" (arXiv 2403.08081) and of our extensions."""

from __future__ import annotations

from theory.core.vocabulary import Paper, Preset, Room, Symbol
from theory.next_token.claims.answers import automaton, incomparable_tokens
from theory.next_token.claims.finite_time import regularisation_path, sharp_logits
from theory.next_token.claims.limits import finite_part, gd_direction, loss_gap
from theory.next_token.claims.order import graph_svm, priority_order
from theory.next_token.claims.read_back import extraction
from theory.next_token.claims.statistics import consistency, other_losses
from theory.next_token.data import active, bounds, draw, load
from theory.next_token.parameters import Params

PAPER = Paper(
    authors="Yingcong Li, Yixiao Huang, M. Emrullah Ildiz, Ankit Singh Rawat, Samet Oymak",
    title="Mechanics of Next Token Prediction with Self-Attention",
    year=2024,
    venue="AISTATS",
    arxiv="2403.08081",
    bibtex="""@inproceedings{li2024mechanics,
  title     = {Mechanics of Next Token Prediction with Self-Attention},
  author    = {Li, Yingcong and Huang, Yixiao and Ildiz, M. Emrullah and Rawat, Ankit Singh and Oymak, Samet},
  booktitle = {International Conference on Artificial Intelligence and Statistics (AISTATS)},
  year      = {2024},
  eprint    = {2403.08081},
  archivePrefix = {arXiv}
}
""",
)

PRESETS = (
    Preset(
        "rock_paper_scissors",
        "Rock, paper, scissors, and the referee",
        {"generator": "planted", "scc_sizes": (3, 1, 1, 1)},
        "A cycle of three above a chain: the cycle's weights stay finite, everything else fans out.",
    ),
    Preset(
        "undecided_voter",
        "The undecided voter",
        {"generator": "undecided_voter"},
        "Three votes for yes, one for no. Asked about both at once, which was never trained, the model says 75 : 25.",
    ),
    Preset(
        "one_contradiction",
        "One contradiction",
        {"generator": "planted", "scc_sizes": (1, 1, 1, 1), "contradictions": 1},
        "One reversed sample merges two levels into one component, and the loss floor leaves zero.",
    ),
    Preset(
        "slow_tie",
        "A tie that takes e³⁰⁰ steps",
        {"generator": "slow_tie"},
        "Two tokens of equal level and a margin without a multiplier: the winner emerges like log log t.",
        breaks=True,
    ),
    Preset(
        "correlated_tokens",
        "Correlated tokens",
        {"embedding": "equicorrelated", "correlation": 0.5},
        "Embeddings that share a direction couple the columns: the orthonormal law no longer applies.",
        breaks=True,
    ),
    Preset(
        "too_few_dimensions",
        "Too few dimensions",
        {"embedding": "random_unit", "dim": 3},
        "Fewer dimensions than tokens: no head inverts the embeddings, and margins may be impossible.",
        breaks=True,
    ),
    Preset(
        "step_too_large",
        "A step too large",
        {"learning_rate": 3.0},
        "Three times the safe step size: descent may overshoot, and the clock of the theorem is off.",
        breaks=True,
    ),
    Preset(
        "normalised_steps",
        "Normalised steps",
        {"optimizer": "normalised", "learning_rate": 0.1, "steps": 10_000},
        "Steps of fixed length never let the finite part settle: its error keeps a floor.",
        breaks=True,
    ),
)

ROOM = Room(
    id="next_token",
    title="Next-token prediction",
    finding="Gradient descent learns an automaton",
    paper=PAPER,
    Params=Params,
    claims=(
        sharp_logits,
        priority_order,
        finite_part,
        graph_svm,
        gd_direction,
        loss_gap,
        regularisation_path,
        automaton,
        incomparable_tokens,
        extraction,
        consistency,
        other_losses,
    ),
    draw=draw,
    load=load,
    bounds=bounds,
    presets=PRESETS,
    active=active,
    symbols={
        "W_t": Symbol("key-query weights after t steps"),
        r"\|W_t\|": Symbol("their Frobenius norm"),
        r"\eta": Symbol("step size", "learning_rate"),
        "t": Symbol("steps", "steps"),
        "f_j": Symbol("finite score of the token j inside its component"),
        "f_l": Symbol("finite score of the token l"),
        "z_j": Symbol("Graph-SVM level of the token j: its slope in log-time"),
        "e_j": Symbol("embedding of the token j", "embed"),
    },
)
