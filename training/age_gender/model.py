"""The age and gender networks.

Every network takes RGB faces (N, SIZE, SIZE, 3) with values 0..255 (the rescaling is inside) and returns a dict with

    age_distribution   (N, AGES), the probabilities of the years
    gender             (N, 2) in the order of `inference.types.GENDERS`
"""

import keras
import numpy as np
from keras import layers

from inference.types import GENDERS
from training.age_gender.data import SIZE
from training.layers import COMPONENTS, AgeDistribution, AreaResize, convolutions
from training.mobilenet import mobilenet

NARROW = ((16,), (32,), (64, 64), (128, 128), (224, 224))
"""The widths of the convolutions, stage by stage."""
WIDE = ((16,), (32,), (64, 64), (192, 192), (352, 352))
"""The widths of a larger network, which `widened` makes of one of NARROW."""
WIDER = ((24,), (48,), (96, 96), (256, 256), (384, 384))
"""Those of one that it makes of that one, most of them more where there are many pixels."""


def age_gender_cnn(input_size: int = 48, stages: tuple[tuple[int, ...], ...] = NARROW) -> keras.Model:
    """The convolutions of `training.emotion.model.plain_cnn` for RGB faces (N, SIZE, SIZE, 3) with values 0..255.

    Args:
        input_size: side in pixels to which the faces are reduced first. A step at 40 takes two thirds of the time of one at 48, at 64
            nearly twice; the first runs of docs/results/age_gender_runs.json were made at 40 (`look` in their settings).
        stages: of `training.layers.convolutions`.

    Returns:
        To a dict: `age_distribution` (N, AGES), and `gender` (N, 2) in the order of GENDERS.
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = AreaResize(input_size)(x)
    x = layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-4, center=False, scale=False)(x)
    return _heads(image, convolutions(x, stages), 0.1)


def age_gender_mobilenet(input_size: int = 96) -> keras.Model:
    """`training.mobilenet.mobilenet` with the heads of `age_gender_cnn`.

    Args:
        input_size: side in pixels to which the faces are enlarged first.
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-4, center=False, scale=False)(x)
    return _heads(image, mobilenet(x, input_size), 0.2)


def _heads(image, features, dropout: float) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(features)
    x = layers.Dropout(dropout)(x)
    parameters = layers.Dense(3 * len(COMPONENTS), dtype="float32", name="age_parameters")(x)
    logits = layers.Dense(len(GENDERS), dtype="float32", name="gender_logits")(x)
    outputs = {
        "age_distribution": AgeDistribution(dtype="float32", name="age_distribution")(parameters),
        "gender": layers.Softmax(dtype="float32", name="gender")(logits),
    }
    return keras.Model(image, outputs, name="age_gender")


def input_size_of(network: keras.Model) -> int:
    """The side in pixels to which a network of this module brings faces."""
    sides = {AreaResize: "side", layers.Resizing: "height"}
    return next(getattr(layer, sides[type(layer)]) for layer in network.layers if type(layer) in sides)


def at_input_size(network: keras.Model, input_size: int) -> keras.Model:
    """The same network with the same weights, scaling faces to `input_size` pixels.

    Raises:
        ValueError: it only reduces them, and they have fewer.
    """
    if input_size > SIZE and any(isinstance(layer, AreaResize) for layer in network.layers):
        raise ValueError(f"this network cannot be shown faces of {input_size} pixels: they have {SIZE}.")

    def copy(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, AreaResize):
            return AreaResize(input_size) if input_size < SIZE else layers.Identity()
        if isinstance(layer, layers.Resizing):
            return layers.Resizing(input_size, input_size)
        return type(layer).from_config(layer.get_config())

    other = keras.models.clone_model(network, clone_function=copy)
    other.set_weights(network.get_weights())
    return other


def widened(narrow: list[np.ndarray], wide: list[np.ndarray]) -> list[np.ndarray]:
    """Weights for a wider network that answers as a narrower one does: Chen et al. 2015, "Net2Net" (arXiv:1511.05641).

    Unlike there the new channels are not copies of old ones: they begin at random, and nothing takes from them yet.

    Args:
        narrow: the weights of the trained network.
        wide: those of the untrained wider one, with as many channels or more in each layer.
    """
    weights = [weight.copy() for weight in wide]
    for old, new in zip(narrow, weights, strict=True):
        if old.ndim > 1:
            new[..., old.shape[-2] :, :] = 0
        new[tuple(slice(length) for length in old.shape)] = old
    return weights
