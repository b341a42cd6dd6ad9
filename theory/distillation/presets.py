"""Points of this room's parameter space worth visiting, and those that leave a theorem's assumptions."""

from __future__ import annotations

from theory.core.vocabulary import Preset

_DRAWN: dict[str, object] = {
    "eigenvalues": None,
    "signal": None,
    "surrogate": None,
    "teacher_eigenvalues": None,
    "generation_sizes": None,
    "generation_noises": None,
}
"""Nothing given as an array: a preset must not meet another claim's arrays of another length."""
_PLAIN: dict[str, object] = _DRAWN | {
    "spectrum": "power",
    "n_features": 500,
    "n_samples": 200,
    "spectrum_exponent": 2.0,
    "signal_exponent": 1.5,
    "noise_variance_target": 0.0,
    "ridge": 0.0,
}

PRESETS = (
    Preset(
        "few_samples",
        "Few samples, largest gain",
        _PLAIN | {"n_samples": 25},
        "With 25 samples the best teacher divides the risk by 1.5: it amplifies 16 features.",
    ),
    Preset(
        "isotropic",
        "Nothing to gain",
        _PLAIN | {"spectrum": "isotropic"},
        "All features equally strong: the truth is the best teacher, and all three curves are one.",
    ),
    Preset(
        "mask_useless",
        "The mask keeps all",
        _PLAIN | {"n_samples": 440},
        "Near n = p no feature should be thrown away, yet the best teacher still gains 12 %.",
    ),
    Preset(
        "noise_hides",
        "Noise hides it",
        _PLAIN | {"noise_variance_target": 1.0},
        "Noise adds the same to all curves: the absolute gain is unchanged, the relative gain shrinks to 2 %.",
    ),
    Preset(
        "clean_teacher",
        "Denoising is another thing",
        _PLAIN | {"noise_variance_target": 1.0, "noisy_arms": "strong_only"},
        "Noise on the true labels only: most of the gain is now that a teacher's labels are clean.",
    ),
    Preset(
        "fitted_teacher",
        "A perfect teacher is not best",
        _PLAIN | {"n_features": 600, "n_samples": 40, "n_teacher_samples": 130},
        "A teacher fitted on 130 samples makes a better student than the truth does (section Test, A fitted teacher).",
        claim="two-stage",
    ),
    Preset(
        "steep_teacher",
        "A teacher of the wrong world",
        _PLAIN | {"n_features": 600, "n_samples": 40, "teacher_spectrum_exponent": 3.0},
        "The teacher hardly saw the weak features: its errors there are amplified when the student meets them.",
    ),
    Preset(
        "exponential",
        "The exponent changes",
        _PLAIN | {"spectrum": "exponential", "rate": 0.05, "signal_exponent": 3.0, "n_samples": 160},
        "On an exponential spectrum the gain grows without limit: the theorem about exponents needs a power law.",
        breaks=True,
        claim="scaling-law",
    ),
    Preset(
        "peak",
        "At the interpolation peak",
        _PLAIN | {"n_features": 200, "n_samples": 196},
        "With n next to p hardly any freedom is left: single runs scatter wildly around the formula.",
        breaks=True,
    ),
    Preset(
        "few_free",
        "Two effective samples",
        _PLAIN | {"spectrum": "exponential", "rate": 0.5, "n_samples": 25, "n_features": 200},
        "A fast spectrum leaves n (1 − Ω) = 2, however large n is: the leading order is no guide.",
        breaks=True,
    ),
    Preset(
        "real_features",
        "Features of a network",
        _PLAIN | {"spectrum": "features", "n_samples": 100},
        "A frozen random network's features of digits are not Gaussian, and yet the points are on the lines.",
        breaks=True,
    ),
    Preset(
        "rotated",
        "Another basis",
        _PLAIN | {"n_features": 200, "n_samples": 40, "rotation": 1.0},
        "The teacher's data have other principal directions: the diagonal formula does not apply.",
        breaks=True,
        claim="two-stage",
    ),
)
