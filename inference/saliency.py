"""Where in a face the network found what speaks for an emotion."""

import cv2
import numpy as np

SCALE = 4
"""Side of the heat map in sides of the crop."""
FAINT = 1e-3
"""Logits; a map without a difference of this size says nothing, and is not blown up to full strength."""
STRONGEST_TINT = 0.7
"""Opacity of the colour at the strongest place, so that the face still shows through."""
_COLORS = np.arange(102, 218, dtype=np.uint8)
"""The part of the colour map in use, purple to orange: its dark end looks like a shadow, its pale one like skin."""
TINTS = cv2.cvtColor(cv2.applyColorMap(_COLORS[None], cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)[0]
"""uint8 (K, 3), RGB: from the weakest to the strongest."""


def heat_map(crop: np.ndarray, activation: np.ndarray, emotion_index: int) -> np.ndarray:
    """The class activation map of one emotion over the face (Zhou et al. 2016, arXiv:1512.04150).

    The map is taken relative to the mean of the classes, so that it shows what speaks for this one rather than for any.
    Its positive part, scaled to a maximum of 1, tints the grey face; where nothing speaks for the emotion, or every
    place alike, the face stays grey. Colour and opacity grow with the strength, so that hues need not be told apart.

    Args:
        crop: uint8 (S, S), the grey face that the network saw.
        activation: (h, w, 7), logits of each class at each place.
        emotion_index: of the class, in EMOTIONS.

    Returns:
        uint8 (SCALE * S, SCALE * S, 3), RGB.
    """
    size = (SCALE * crop.shape[1], SCALE * crop.shape[0])
    face = cv2.cvtColor(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    evidence = (activation[..., emotion_index] - activation.mean(axis=-1)).astype(np.float32)
    if evidence.max() < FAINT or np.ptp(evidence) < FAINT:
        return face
    strength = np.maximum(cv2.resize(evidence, size, interpolation=cv2.INTER_CUBIC), 0)
    strength /= strength.max()
    tint = TINTS[np.round((len(TINTS) - 1) * strength).astype(np.uint8)]
    opacity = STRONGEST_TINT * strength[..., None]
    return np.round(face + opacity * (tint.astype(np.float32) - face)).astype(np.uint8)
