"""Handwritten digits and frozen random networks on them: features that are not Gaussian."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.special import softmax

from theory.distillation.problem import Floats, Integers

CLASSES = 10
SIDE = 8
WIDTH = 512
"""Features of either network: the smallest population, 1,797 digits, still has 3 rows for each."""
HEADS, HEAD_WIDTH = 32, 16
LARGEST_SHIFT = 0.7
PIXEL_NOISE = 0.08


@lru_cache(maxsize=1)
def digits() -> tuple[Floats, Integers]:
    """1,797 handwritten digits: images (N, 8, 8) with pixels from 0 to 1, and their classes (N,).

    The test set of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits" (UCI Machine Learning
    Repository, 1998, CC BY 4.0), as scikit-learn ships it.
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as stored:
        return stored["images"] / 16.0, stored["classes"].astype(np.int64)


def augmented(copies: int, seed: int) -> tuple[Floats, Integers]:
    """The digits, then ``copies`` of them with sub-pixel shifts up to 0.7 and pixel noise 0.08; images and classes.

    Shapes: (N (copies + 1), 8, 8) and (N (copies + 1),); the first N rows are the digits themselves.
    """
    images, classes = digits()
    generator = np.random.default_rng([seed, 0])
    found = [images]
    for _ in range(copies):
        shift = generator.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, (2, len(images)))
        moved = _moves(shift[0]) @ images @ _moves(shift[1]).transpose(0, 2, 1)
        found.append(moved + PIXEL_NOISE * generator.standard_normal(images.shape))
    return np.concatenate(found), np.tile(classes, copies + 1)


def relu_features(images: Floats, generator: np.random.Generator) -> Floats:
    """``relu(W' x + b)`` (N, 512) of centred pixels, W with entries N(0, 9/64) and b with entries N(0, 1/4)."""
    pixels = images.reshape(len(images), -1)
    weights = generator.standard_normal((pixels.shape[1], WIDTH)) * (3 / np.sqrt(pixels.shape[1]))
    shift = 0.5 * generator.standard_normal(WIDTH)
    return np.maximum((pixels - pixels.mean(axis=0)) @ weights + shift, 0.0)


def attention_features(images: Floats, generator: np.random.Generator) -> Floats:
    """A frozen attention block (N, 512): each image is 8 row tokens plus random positions, read by 32 random heads.

    A head computes ``softmax(X Q K' X' / sqrt(8)) X V`` with Q, K (8, 8) of entries N(0, 2.25/8) and V (8, 16) of
    entries N(0, 4/8); its output passes a ReLU and is averaged over the tokens.
    """
    tokens = images - images.mean(axis=0) + 0.5 * generator.standard_normal((SIDE, SIDE))
    found = np.empty((len(images), HEADS, HEAD_WIDTH))
    for head in range(HEADS):
        query, key = generator.standard_normal((2, SIDE, SIDE)) * (1.5 / np.sqrt(SIDE))
        value = generator.standard_normal((SIDE, HEAD_WIDTH)) * (2 / np.sqrt(SIDE))
        scores = tokens @ (query @ key.T / np.sqrt(SIDE)) @ tokens.transpose(0, 2, 1)
        found[:, head] = np.maximum(softmax(scores, axis=2) @ (tokens @ value), 0.0).mean(axis=1)
    return found.reshape(len(images), -1)


def _moves(shift: Floats) -> Floats:
    """Matrices (N, 8, 8) that move an image's rows by ``shift`` (N,) of size below 1, by linear interpolation."""
    down, up = np.eye(SIDE, k=-1), np.eye(SIDE, k=1)
    size = np.abs(shift)[:, None, None]
    return (1 - size) * np.eye(SIDE) + size * np.where(shift[:, None, None] > 0, down, up)
