"""The parameters of the room ``next_token``: what is generated, how it is embedded and how it is trained."""

from __future__ import annotations

from typing import Literal

from theory.core.parameters import Parameters, array, choice, number

GENERATORS = ("ranked_noise", "planted", "undecided_voter", "slow_tie", "luce")
OPTIMIZERS = ("plain", "normalised", "newton_path", "log_time_flow")
EMBEDDINGS = ("orthonormal", "equicorrelated", "random_unit")


class Params(Parameters):
    """All parameters; ``sequences`` and ``labels`` (with ``embed``) replace the generator when they are given."""

    generator: Literal["ranked_noise", "planted", "undecided_voter", "slow_tie", "luce"] = choice(
        "ranked_noise",
        GENERATORS,
        symbol="data",
        label="Data",
        description="ranked_noise: labels follow a hidden ranking with flips; planted: prescribed components; "
        "undecided_voter: 3 votes for A, 1 for B; slow_tie: the tie that takes e^300 steps; luce: one component "
        "whose labels follow known scores",
    )
    vocab_size: int = number(
        6, 3, 40, symbol="K", label="Vocabulary", description="number of tokens", spec_names=("K",)
    )
    n_sequences: int = number(
        12, 1, 400, symbol="n", label="Prompts", description="number of training prompts", spec_names=("n",)
    )
    prompt_length: int = number(
        4, 2, 32, symbol="T", label="Prompt length", description="tokens per prompt", spec_names=("length", "T")
    )
    label_flip_probability: float = number(
        0.3,
        0.0,
        1.0,
        step=0.02,
        symbol="ε",
        label="Label flips",
        description="probability that a label is drawn uniformly from its prompt; 0 gives acyclic graphs",
        spec_names=("label_noise", "epsilon", "eps"),
    )
    contradictions: int = number(
        0, 0, 20, symbol="c", label="Contradictions", description="reversed samples added to the data"
    )
    n_last: int = number(2, 1, 40, symbol="q", label="Last tokens", description="number of different last tokens")
    steps: int = number(
        100_000,
        10,
        1_000_000,
        step=0.25,
        scale="log10",
        symbol="t",
        label="Steps",
        description="gradient-descent steps",
        spec_names=("t",),
        log10_name="log10_steps",
    )
    learning_rate: float = number(
        1.0,
        0.1,
        4.0,
        step=0.1,
        symbol="ηβ",
        label="Learning rate",
        description="step size in units of the safe limit 1/β; above 2 descent may diverge",
        spec_names=("lr", "eta"),
    )
    optimizer: Literal["plain", "normalised", "newton_path", "log_time_flow"] = choice(
        "plain",
        OPTIMIZERS,
        symbol="optimizer",
        label="Optimiser",
        description="plain: the theorem's gradient descent; normalised: fixed-length steps; newton_path: the "
        "regularisation path; log_time_flow: gradient flow in log-time",
    )
    embedding: Literal["orthonormal", "equicorrelated", "random_unit"] = choice(
        "orthonormal",
        EMBEDDINGS,
        symbol="E",
        label="Embedding",
        description="rows of E: orthonormal, equal pairwise correlation, or random unit vectors",
    )
    correlation: float = number(
        0.5,
        0.0,
        0.9,
        step=0.05,
        symbol="ρ",
        label="Correlation",
        description="pairwise correlation of equicorrelated embeddings",
        spec_names=("rho",),
    )
    dim: int | None = number(
        None,
        2,
        64,
        symbol="d",
        label="Dimension",
        description="embedding dimension; empty means the vocabulary size",
        spec_names=("d",),
    )
    initial_scale: float = number(
        0.0,
        0.0,
        2.0,
        step=0.1,
        symbol="σ₀",
        label="Initial scale",
        description="standard deviation of the Gaussian initial logits; 0 starts at zero",
    )
    data_seed: int = number(
        23, 0, 999, symbol="seed", label="Data seed", description="which instance is drawn", spec_names=("seed",)
    )
    scc_sizes: tuple[int, ...] | None = array(
        symbol="sizes", label="Component sizes", description="planted components from the top, such as [3, 1, 1]"
    )
    order: tuple[tuple[int, int], ...] | None = array(
        symbol="order",
        label="Component order",
        description="planted priorities as pairs [upper, lower] of component positions; empty means a chain",
    )
    sequences: tuple[tuple[int, ...], ...] | None = array(
        symbol="X",
        label="Prompts",
        description="prompts as lists of token ids, the last token included",
        spec_names=("X",),
    )
    labels: tuple[int, ...] | None = array(
        symbol="y", label="Labels", description="next token of each prompt", spec_names=("y",)
    )
    embed: tuple[tuple[float, ...], ...] | None = array(
        symbol="E", label="Embeddings", description="one row of finite numbers per token", spec_names=("E",)
    )
    token_names: tuple[str, ...] | None = array(symbol="names", label="Token names", description="a word per token")
    missing_label: Literal["error", "drop"] = choice(
        "error",
        ("error", "drop"),
        symbol="missing",
        label="Label not in prompt",
        description="error: refuse such rows; drop: leave them out and count them",
    )
