"""The claims of "From Self-Attention to Markov Models" (arXiv 2402.13512) and of our extensions."""

from __future__ import annotations

from theory.ccmc.claims.ascent import reversible_ascent
from theory.ccmc.claims.collapse import identical_rows_law
from theory.ccmc.claims.cooling import attention_temperature_no_cure
from theory.ccmc.claims.coverage import coverage_connectivity
from theory.ccmc.claims.cycles import cyclic_bistable
from theory.ccmc.claims.existence import mle_exists_claim
from theory.ccmc.claims.fluctuations import mixed_clt
from theory.ccmc.claims.fluid import fluid_limit
from theory.ccmc.claims.learning import excess_risk_rank, fisher_constant
from theory.ccmc.claims.mapping import attention_is_ccmc, w_unique_subspace
from theory.ccmc.claims.positions import positional_scaling
from theory.ccmc.claims.recency import recency_exponent
from theory.ccmc.claims.shares import count_cap_base_chain, output_temperature_cure
from theory.ccmc.claims.single_trajectory import single_trajectory_threshold
from theory.ccmc.claims.training import attention_training_finds_mle
from theory.ccmc.claims.two_tokens import phase_diagram
from theory.ccmc.claims.windows import window_fixation
from theory.ccmc.claims.winner_chance import winner_chance
from theory.ccmc.claims.winners import winner_sets_claim
from theory.ccmc.data import active, bounds, draw
from theory.ccmc.own.read import load
from theory.ccmc.parameters import Params
from theory.ccmc.presets import PRESETS
from theory.ccmc.problem import Chain
from theory.core.vocabulary import Claim, Paper, Room, Symbol

PAPER = Paper(
    authors="M. Emrullah Ildiz, Yixiao Huang, Yingcong Li, Ankit Singh Rawat, Samet Oymak",
    title="From Self-Attention to Markov Models: Unveiling the Dynamics of Generative Transformers",
    year=2024,
    venue="ICML",
    arxiv="2402.13512",
    bibtex="""@inproceedings{ildiz2024selfattention,
  title     = {From Self-Attention to Markov Models: Unveiling the Dynamics of Generative Transformers},
  author    = {Ildiz, M. Emrullah and Huang, Yixiao and Li, Yingcong and Rawat, Ankit Singh and Oymak, Samet},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2024},
  eprint    = {2402.13512},
  archivePrefix = {arXiv}
}
""",
)

CLAIMS: tuple[Claim[Params, Chain], ...] = (
    attention_is_ccmc,
    w_unique_subspace,
    positional_scaling,
    coverage_connectivity,
    mle_exists_claim,
    fisher_constant,
    excess_risk_rank,
    attention_training_finds_mle,
    identical_rows_law,
    winner_sets_claim,
    fluid_limit,
    phase_diagram,
    winner_chance,
    mixed_clt,
    reversible_ascent,
    cyclic_bistable,
    single_trajectory_threshold,
    output_temperature_cure,
    attention_temperature_no_cure,
    count_cap_base_chain,
    window_fixation,
    recency_exponent,
)

ROOM = Room(
    id="ccmc",
    title="Self-attention as a Markov chain",
    finding="Attention feeds on itself and repeats",
    paper=PAPER,
    Params=Params,
    claims=CLAIMS,
    draw=draw,
    load=load,
    bounds=bounds,
    presets=PRESETS,
    active=active,
    symbols={
        "P": Symbol("base chain: row = last token, column = next token", "transition"),
        "P_{kj}": Symbol("probability that j follows k in the base chain", "transition"),
        "K": Symbol("number of tokens", "vocab_size"),
        "W": Symbol("attention weights"),
        "N_j": Symbol("count of token j so far"),
        "m": Symbol("shares of the tokens in the text"),
        "n": Symbol("number of tokens so far, or of training prompts"),
        r"\theta_i": Symbol("growth exponent of token i: its count grows as n to this power"),
        r"\hat A": Symbol("maximum-likelihood logits"),
        "x_L": Symbol("last token of a prompt"),
    },
)
