"""The parameters of the room ``distillation``: spectrum, signal, sample sizes, noises and the teacher."""

from __future__ import annotations

from typing import Literal

from theory.core.parameters import Parameters, array, choice, number

SPECTRA = ("power", "exponential", "two_level", "isotropic", "features")
FEATURES = ("relu", "attention")


class Params(Parameters):
    """All parameters; ``eigenvalues`` with ``signal`` (and ``surrogate``) replace what the spectrum describes."""

    spectrum: Literal["power", "exponential", "two_level", "isotropic", "features"] = choice(
        "power",
        SPECTRA,
        symbol="λ",
        label="Spectrum",
        description="power: λᵢ = i^−α; exponential: λᵢ = e^(−r i); two_level: one head, one tail level; isotropic: all "
        "equal; features: the spectrum of a frozen network's features on handwritten digits",
    )
    n_features: int = number(
        500,
        50,
        5000,
        step=0.05,
        scale="log10",
        symbol="p",
        label="Features",
        description="number of features",
        spec_names=("p",),
    )
    n_samples: int = number(
        200,
        5,
        4900,
        step=0.02,
        scale="log10",
        symbol="n",
        label="Samples",
        description="training samples of the student",
        spec_names=("n",),
    )
    spectrum_exponent: float = number(
        2.0,
        0.0,
        4.0,
        step=0.05,
        symbol="α",
        label="Spectrum exponent",
        description="λᵢ = i^−α; 0 is isotropic",
        spec_names=("alpha", "spectrum_decay"),
    )
    signal_exponent: float = number(
        1.5,
        1.05,
        8.0,
        step=0.05,
        symbol="β",
        label="Signal exponent",
        description="energy of the truth per feature: λᵢ βᵢ² = i^−β",
        spec_names=("beta_exp",),
    )
    rate: float = number(
        0.05,
        0.001,
        1.0,
        step=0.05,
        scale="log10",
        symbol="r",
        label="Decay rate",
        description="λᵢ = e^(−r i) of the exponential spectrum",
    )
    head_fraction: float = number(
        0.1,
        0.01,
        0.9,
        step=0.01,
        symbol="φ",
        label="Head fraction",
        description="share of features on the upper level of the two-level spectrum",
    )
    level_ratio: float = number(
        0.01,
        0.0001,
        1.0,
        step=0.1,
        scale="log10",
        symbol="λ₂/λ₁",
        label="Level ratio",
        description="lower level over upper level of the two-level spectrum",
    )
    noise_variance_target: float = number(
        0.0,
        0.0,
        2.0,
        step=0.01,
        symbol="σ²",
        label="Label noise",
        description="variance of the noise on the labels that the student sees",
        spec_names=("noise_target", "sigma2", "sigma_t2"),
    )
    noisy_arms: Literal["both", "strong_only"] = choice(
        "both",
        ("both", "strong_only"),
        symbol="arms",
        label="Noise in",
        description="both: the same noise on strong and surrogate labels; strong_only: surrogate labels are clean",
    )
    ridge: float = number(
        0.0,
        0.0,
        10.0,
        step=0.01,
        symbol="μ",
        label="Ridge",
        description="penalty in ‖y − Xw‖² + μ‖w‖²; 0 is the minimum-norm fit",
        spec_names=("mu",),
    )
    n_teacher_samples: int = number(
        130,
        5,
        100_000,
        step=0.05,
        scale="log10",
        symbol="m",
        label="Teacher samples",
        description="training samples of a fitted teacher",
        spec_names=("m",),
    )
    teacher_spectrum_exponent: float | None = number(
        None,
        0.0,
        4.0,
        step=0.05,
        symbol="αₛ",
        label="Teacher spectrum",
        description="exponent of the covariance that the teacher is trained on; empty means the student's covariance",
        spec_names=("alpha_s",),
    )
    noise_variance_teacher: float = number(
        0.0,
        0.0,
        2.0,
        step=0.01,
        symbol="σₛ²",
        label="Teacher noise",
        description="variance of the label noise in the teacher's training set",
        spec_names=("noise_surrogate", "sigma_s2"),
    )
    teacher_features: int | None = number(
        None,
        1,
        5000,
        step=0.05,
        scale="log10",
        symbol="k",
        label="Teacher features",
        description="a weak teacher sees the first k features only; empty means all",
        spec_names=("k_weak",),
    )
    rotation: float = number(
        0.0,
        0.0,
        1.0,
        step=0.05,
        symbol="ϑ",
        label="Teacher rotation",
        description="how far the teacher's covariance is rotated away from the student's: 0 not at all, 1 at random",
    )
    features: Literal["relu", "attention"] = choice(
        "relu",
        FEATURES,
        symbol="φ(x)",
        label="Feature map",
        description="frozen random features of handwritten digits: a ReLU layer or an attention block",
    )
    population_copies: int = number(
        6,
        0,
        6,
        symbol="c",
        label="Population copies",
        description="shifted and noisy copies of the 1,797 digits that enlarge the population",
    )
    replicates: int = number(
        25,
        1,
        2000,
        step=0.1,
        scale="log10",
        symbol="R",
        label="Trials per seed",
        description="independent trials in one block; the unit of every standard error is one trial",
        spec_names=("trials", "R"),
    )
    data_seed: int = number(
        0,
        0,
        999,
        symbol="seed",
        label="Data seed",
        description="which rotation and features are drawn",
        spec_names=("seed",),
    )
    eigenvalues: tuple[float, ...] | None = array(
        symbol="λ",
        label="Eigenvalues",
        description="positive eigenvalues of the feature covariance",
        spec_names=("lam",),
    )
    signal: tuple[float, ...] | None = array(
        symbol="β⋆", label="Truth", description="true coefficients in the eigenbasis", spec_names=("beta_star",)
    )
    surrogate: tuple[float, ...] | None = array(
        symbol="βₛ",
        label="Surrogate",
        description="the teacher's coefficients in the eigenbasis",
        spec_names=("beta_s",),
    )
    teacher_eigenvalues: tuple[float, ...] | None = array(
        symbol="λˢ",
        label="Teacher eigenvalues",
        description="positive eigenvalues of the teacher's covariance",
        spec_names=("lam_s",),
    )
    generation_sizes: tuple[int, ...] | None = array(
        symbol="nₜ",
        label="Generation sizes",
        description="training samples of each generation, such as [400, 120, 40]",
        spec_names=("sizes",),
    )
    generation_noises: tuple[float, ...] | None = array(
        symbol="σₜ²",
        label="Generation noises",
        description="label noise variance in each generation",
        spec_names=("noises",),
    )
