"""The parameters of the room ``ccmc``: the base chain, what is generated from it, and what is learnt about it."""

from __future__ import annotations

from typing import Literal, get_args

from theory.core.parameters import Parameters, array, choice, number

ChainKind = Literal["two_tokens", "identical_rows", "circulant", "random", "reversible", "uniform"]
Embedding = Literal["orthonormal", "gaussian"]
Head = Literal["inverse", "random"]
Optimizer = Literal["lbfgs", "gradient_descent", "adam"]
MOST_TOKENS = 1_000_000_000_000_000
"""Counts are float64: above 2^53 a token more would not be seen."""


class Params(Parameters):
    """All parameters; ``transition``, ``prompt``, ``sequences`` and ``labels``, ``embed`` replace what is drawn."""

    chain: ChainKind = choice(
        "two_tokens",
        get_args(ChainKind),
        symbol="P",
        label="Base chain",
        description="two_tokens: two tokens with odds α and β; identical_rows: one law for every last token; "
        "circulant: stay, advance or fall back on a ring of three; random: Dirichlet rows; reversible: from random "
        "symmetric flows; uniform: all entries equal",
    )
    vocab_size: int = number(
        3, 2, 12, symbol="K", label="Vocabulary", description="number of tokens", spec_names=("K",)
    )
    odds_first: float = number(
        2.0,
        0.05,
        20.0,
        step=0.02,
        scale="log10",
        symbol="α",
        label="Odds after 0",
        description="odds P₀₀/P₀₁ that token 0 repeats itself",
        spec_names=("alpha",),
    )
    odds_second: float = number(
        2.0,
        0.05,
        20.0,
        step=0.02,
        scale="log10",
        symbol="β",
        label="Odds after 1",
        description="odds P₁₁/P₁₀ that token 1 repeats itself",
        spec_names=("beta",),
    )
    top_probability: float = number(
        0.7,
        0.5,
        0.95,
        step=0.01,
        symbol="p",
        label="Top probability",
        description="probability of token 0 when all rows are equal; the others fall off linearly",
        spec_names=("p",),
    )
    stay: float = number(
        0.37, 0.02, 0.95, step=0.01, symbol="a", label="Stay", description="circulant: P[k, k]", spec_names=("a",)
    )
    advance: float = number(
        0.55,
        0.02,
        0.95,
        step=0.01,
        symbol="b",
        label="Advance",
        description="circulant: P[k, k+1]; what is left over falls back to k−1",
        spec_names=("b",),
    )
    concentration: float = number(
        1.0,
        0.2,
        20.0,
        step=0.05,
        scale="log10",
        symbol="κ",
        label="Concentration",
        description="Dirichlet concentration of random rows: small values give peaked rows",
    )
    count_first: int = number(
        1, 1, 50, symbol="N₀", label="Token 0 in prompt", description="how often token 0 occurs in the first prompt"
    )
    count_others: int = number(
        1, 1, 50, symbol="Nⱼ", label="Others in prompt", description="how often each other token occurs in it"
    )
    initial_last: int = number(
        0,
        0,
        11,
        symbol="x_L",
        label="Last token",
        description="the last token of the first prompt",
        spec_names=("last",),
    )
    initial_tokens: int | None = number(
        None,
        100,
        1_000_000,
        step=0.25,
        scale="log10",
        symbol="n₀",
        label="Long start",
        description="length of a long first prompt with given shares; empty means the counts above",
        spec_names=("n0",),
    )
    n_tokens: int = number(
        1_000_000,
        100,
        MOST_TOKENS,
        step=0.25,
        scale="log10",
        symbol="T",
        label="Generated tokens",
        description="length of the generated text, prompt included",
        spec_names=("T",),
        log10_name="log10_tokens",
    )
    replicates: int = number(
        25,
        1,
        10_000,
        step=0.1,
        scale="log10",
        symbol="R",
        label="Runs per seed",
        description="independent runs in one block; the unit of every standard error is one run",
        spec_names=("R",),
    )
    output_temperature: float = number(
        1.0,
        0.5,
        4.0,
        step=0.05,
        symbol="Tₒ",
        label="Output temperature",
        description="sample from the next-token law to the power 1/Tₒ",
        spec_names=("T_o",),
    )
    attention_temperature: float = number(
        1.0,
        0.25,
        4.0,
        step=0.05,
        symbol="Tₐ",
        label="Attention temperature",
        description="divide the attention logits by Tₐ: P to the power 1/Tₐ, rows renormalised",
        spec_names=("T_a",),
    )
    count_cap: int | None = number(
        None,
        1,
        1000,
        step=0.1,
        scale="log10",
        symbol="c",
        label="Count cap",
        description="no token counts more than this often; empty means no cap",
        spec_names=("cap",),
    )
    window: int | None = number(
        None,
        2,
        1000,
        step=0.1,
        scale="log10",
        symbol="w",
        label="Window",
        description="attention sees the last w tokens only; empty means all",
        spec_names=("w",),
    )
    recency_exponent: float = number(
        0.0,
        0.0,
        1.5,
        step=0.05,
        symbol="s",
        label="Recency",
        description="a token at distance δ weighs δ to the power −s",
        spec_names=("s",),
    )
    n_samples: int = number(
        10_000,
        100,
        100_000,
        step=0.1,
        scale="log10",
        symbol="n",
        label="Training prompts",
        description="number of (prompt, next token) pairs to learn from",
        spec_names=("n",),
    )
    prompt_length: int = number(
        6, 2, 64, symbol="L", label="Prompt length", description="tokens per training prompt", spec_names=("L",)
    )
    unseen_pairs: int = number(
        0,
        0,
        12,
        symbol="u",
        label="Unseen pairs",
        description="how many (last token, other token) pairs no training prompt contains",
    )
    islands: int = number(
        1,
        1,
        3,
        symbol="g",
        label="Islands",
        description="the other tokens of a training prompt all come from one of so many groups",
    )
    include_self: Literal["yes", "no"] = choice(
        "yes",
        ("yes", "no"),
        symbol="self",
        label="Query among keys",
        description="yes: the last token is one of its own keys; no: it is masked out",
    )
    embedding: Embedding = choice(
        "orthonormal",
        get_args(Embedding),
        symbol="E",
        label="Embedding",
        description="rows of E: orthonormal, or independent Gaussian vectors",
    )
    dim: int | None = number(
        None,
        1,
        64,
        symbol="d",
        label="Dimension",
        description="embedding dimension; empty means the vocabulary size, or twice that for Gaussian rows",
        spec_names=("d",),
    )
    head: Head = choice(
        "inverse",
        get_args(Head),
        symbol="C",
        label="Head",
        description="inverse: C Eᵀ = I, as the theorem asks; random: a Gaussian head, which breaks it",
    )
    position_scale: float = number(
        0.0,
        0.0,
        2.0,
        step=0.1,
        symbol="σ_b",
        label="Position logits",
        description="standard deviation of additive position logits",
    )
    optimizer: Optimizer = choice(
        "lbfgs",
        get_args(Optimizer),
        symbol="optimizer",
        label="Optimiser",
        description="how the attention layer is trained",
    )
    steps: int = number(
        300,
        10,
        10_000,
        step=0.25,
        scale="log10",
        symbol="steps",
        label="Training steps",
        description="full-batch steps of the attention layer",
        log10_name="log10_steps",
    )
    learning_rate: float = number(
        1.0,
        0.1,
        2.0,
        step=0.1,
        symbol="ηβ",
        label="Learning rate",
        description="step size in units of the safe limit 1/β",
        spec_names=("lr", "eta"),
    )
    initial_scale: float = number(
        0.0,
        0.0,
        2.0,
        step=0.1,
        symbol="σ₀",
        label="Initial scale",
        description="standard deviation of the Gaussian initial weights; 0 starts at zero",
    )
    data_seed: int = number(
        0, 0, 999, symbol="seed", label="Data seed", description="which instance is drawn", spec_names=("seed",)
    )
    transition: tuple[tuple[float, ...], ...] | None = array(
        symbol="P", label="Base chain", description="rows that sum to 1, row = last token", spec_names=("P",)
    )
    prompt: tuple[int, ...] | None = array(
        symbol="x", label="First prompt", description="token ids of the prompt that generation starts from"
    )
    initial_counts: tuple[int, ...] | None = array(
        symbol="N", label="Initial counts", description="how often each token occurs in the first prompt"
    )
    initial_shares: tuple[float, ...] | None = array(
        symbol="m₀",
        label="Initial shares",
        description="shares of the tokens in a long first prompt",
        spec_names=("m0",),
    )
    sequences: tuple[tuple[int, ...], ...] | None = array(
        symbol="X", label="Training prompts", description="prompts as lists of token ids", spec_names=("X", "prompts")
    )
    labels: tuple[int, ...] | None = array(
        symbol="y", label="Next tokens", description="next token of each training prompt", spec_names=("y",)
    )
    embed: tuple[tuple[float, ...], ...] | None = array(
        symbol="E", label="Embeddings", description="one row of finite numbers per token", spec_names=("E",)
    )
    token_names: tuple[str, ...] | None = array(symbol="names", label="Token names", description="a word per token")
