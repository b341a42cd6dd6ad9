"""The parameters of the room ``icl``: the data in a prompt, the model that is trained on prompts, and its training."""

from __future__ import annotations

from typing import Literal

from theory.core.parameters import Parameters, array, choice, number

DESIGNS = ("independent", "rag", "alignment", "drift")
DRIFTS = ("ar1", "switch", "period", "exchangeable")
FEATURES = ("gaussian", "signs")


class Params(Parameters):
    """All parameters; covariances and eigenvalues given as arrays replace what the decay exponents describe."""

    design: Literal["independent", "rag", "alignment", "drift"] = choice(
        "independent",
        DESIGNS,
        symbol="design",
        label="Prompt",
        description="independent: examples, query and task are independent; rag: examples retrieved near the query; "
        "alignment: features point along the task; drift: the task changes within the prompt",
    )
    dim: int = number(10, 2, 40, symbol="d", label="Dimension", description="feature dimension", spec_names=("d",))
    context_length: int = number(
        20, 1, 200, symbol="n", label="Context length", description="examples in a prompt", spec_names=("n",)
    )
    noise_variance: float = number(
        0.25,
        0.0,
        4.0,
        step=0.05,
        symbol="σ²",
        label="Label noise",
        description="variance of the label noise, the query's label included",
        spec_names=("sigma2", "noise"),
    )
    alignment: float = number(
        0.3,
        0.0,
        1.0,
        step=0.01,
        symbol="α",
        label="Alignment",
        description="rag: correlation of retrieved features with the query; alignment: feature mean along the task",
        spec_names=("alpha",),
    )
    spectrum_decay: float = number(
        1.0,
        0.0,
        3.0,
        step=0.1,
        symbol="s",
        label="Task spectrum",
        description="eigenvalues of the task covariance fall off like k^−s; their sum is d",
        spec_names=("spectrum_exponent",),
    )
    feature_decay: float = number(
        0.0,
        0.0,
        3.0,
        step=0.1,
        symbol="sₓ",
        label="Feature spectrum",
        description="eigenvalues of the feature covariance fall off like k^−sₓ; their sum is d",
    )
    new_spectrum_decay: float = number(
        0.0,
        0.0,
        3.0,
        step=0.1,
        symbol="s'",
        label="New task spectrum",
        description="decay of the new task covariance, in reversed order of directions, that LoRA adapts to",
    )
    basis_rotation: float = number(
        0.0,
        0.0,
        1.0,
        step=0.05,
        symbol="ϑ",
        label="Basis rotation",
        description="how far task directions are rotated away from feature directions: 0 not at all, 1 at random",
    )
    rank: int = number(
        2,
        0,
        40,
        symbol="r",
        label="Rank",
        description="rank of the attention weights, or of the LoRA update",
        spec_names=("r",),
    )
    drift: Literal["ar1", "switch", "period", "exchangeable"] = choice(
        "ar1",
        DRIFTS,
        symbol="drift",
        label="Task drift",
        description="ar1: correlation ρ^|i−j|; switch: abrupt change half way, correlation ρ across; period: the task "
        "repeats; exchangeable: equal correlation ρ of all",
        spec_names=("drift_kind",),
    )
    task_correlation: float = number(
        0.9,
        0.0,
        1.0,
        step=0.01,
        symbol="ρ",
        label="Task correlation",
        description="correlation of the tasks along the prompt",
        spec_names=("rho",),
    )
    period: int = number(
        4,
        1,
        50,
        symbol="P",
        label="Period",
        description="the task repeats every so many examples (drift: period)",
    )
    features: Literal["gaussian", "signs"] = choice(
        "gaussian",
        FEATURES,
        symbol="x",
        label="Features",
        description="gaussian, or random signs, whose kurtosis changes the optimum",
    )
    task_mean: float = number(
        0.0,
        0.0,
        2.0,
        step=0.1,
        symbol="μ",
        label="Task mean",
        description="every coordinate of the task's mean; other than 0 it breaks the sign symmetry",
    )
    step_size: float = number(
        0.5,
        0.05,
        1.2,
        step=0.05,
        symbol="η",
        label="Step size",
        description="gradient-descent step as a fraction of the stability limit 2/h_max; above 1 descent diverges",
        spec_names=("eta", "learning_rate"),
    )
    initial_scale: float = number(
        1e-4,
        1e-7,
        1.0,
        step=0.25,
        scale="log10",
        symbol="ε",
        label="Initial scale",
        description="size of the initial weights of the factored model",
        spec_names=("init_scale", "epsilon"),
    )
    steps: int = number(
        1500,
        50,
        20_000,
        step=0.1,
        scale="log10",
        symbol="T",
        label="Training steps",
        description="optimiser steps of a trained model, or steps of gradient descent",
        spec_names=("T",),
        log10_name="log10_steps",
    )
    batch_size: int = number(
        256,
        16,
        1024,
        step=0.1,
        scale="log10",
        symbol="B",
        label="Prompts per step",
        description="fresh prompts in each training step",
        spec_names=("B",),
    )
    query: Literal["integrated", "sampled"] = choice(
        "integrated",
        ("integrated", "sampled"),
        symbol="query",
        label="Query",
        description="integrated: the loss is averaged over queries exactly; sampled: one query per prompt",
    )
    n_test: int = number(
        60,
        1,
        400,
        symbol="n'",
        label="Test length",
        description="context length at test time",
        spec_names=("test_length",),
    )
    replicates: int = number(
        1000,
        1,
        100_000,
        step=0.1,
        scale="log10",
        symbol="R",
        label="Prompts per seed",
        description="independent test prompts in one block; the unit of every standard error is one prompt",
        spec_names=("R",),
    )
    data_seed: int = number(
        0,
        0,
        999,
        symbol="seed",
        label="Data seed",
        description="which rotation and initial point are drawn",
        spec_names=("seed",),
    )
    eigenvalues: tuple[float, ...] | None = array(
        symbol="λ",
        label="Eigenvalues",
        description="eigenvalues of Σx^½ Σβ Σx^½ with isotropic features",
        spec_names=("lambda", "lam"),
    )
    new_eigenvalues: tuple[float, ...] | None = array(
        symbol="λ'", label="New eigenvalues", description="eigenvalues of the new task, in the same directions"
    )
    feature_covariance: tuple[tuple[float, ...], ...] | None = array(
        symbol="Σx",
        label="Feature covariance",
        description="a symmetric positive definite matrix",
        spec_names=("Sigma_x", "Sigma"),
    )
    task_covariance: tuple[tuple[float, ...], ...] | None = array(
        symbol="Σβ",
        label="Task covariance",
        description="a symmetric positive semidefinite matrix",
        spec_names=("Sigma_beta",),
    )
    new_task_covariance: tuple[tuple[float, ...], ...] | None = array(
        symbol="Σβ'",
        label="New task covariance",
        description="a symmetric positive semidefinite matrix",
        spec_names=("Sigma_beta_new",),
    )
