"""The emotion networks.

Every network takes grey faces (N, S, S, 1) with values 0..255 (the rescaling is inside) and returns a dict with

    probabilities   (N, 7) in the order of `inference.types.EMOTIONS`
    crowd           (N, 8) in the order of `inference.types.CROWD`: how ten people's answers are distributed; not `paper_cnn`

S is INPUT_SIZE; all but `paper_cnn` also take other sizes. All of them run under Keras 3 with KERAS_BACKEND tensorflow or jax.
The layers that the export looks for are named: "features" are the last feature maps, "logits" and "crowd_logits" the heads.
"""

import keras
from keras import layers

from inference.types import CROWD, EMOTIONS
from training.layers import batch_norm, convolutions

INPUT_SIZE = 48
"""The side of FER-2013's faces, and of those that the networks are shown, in pixels."""

VGG7 = ((32,), (64, 64), (128, 128), (256, 256))
"""The widths of the convolutions of the recipe vgg7, stage by stage."""


def paper_cnn(width: float = 1.0, dropout: float = 1.0) -> keras.Model:
    """The network of Sahin and Aydemir, "Emotional Analysis with Deep Learning": 2,345,607 parameters, no padding.

    Args:
        width, dropout: factors on the numbers of filters and on the dropout rates; the paper's are 1.
    """
    image = x = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    x = layers.Rescaling(1 / 255)(x)
    x = layers.Conv2D(round(32 * width), 3, activation="relu")(x)
    x = layers.Conv2D(round(64 * width), 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25 * dropout)(x)
    x = layers.Conv2D(round(128 * width), 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(round(128 * width), 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(0.25 * dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(1024, activation="relu")(x)
    x = layers.Dropout(0.5 * dropout)(x)
    x = layers.Dense(len(EMOTIONS), dtype="float32", name="logits")(x)
    return keras.Model(image, {"probabilities": layers.Softmax(dtype="float32", name="probabilities")(x)}, name="paper")


def plain_cnn(
    name: str, stages: tuple[tuple[int, ...], ...], crowd: bool = True, normalized: bool = True
) -> keras.Model:
    """`training.layers.convolutions` and global average pooling.

    Args:
        name: of the network.
        stages: of the convolutions.
        crowd: with the second head.
        normalized: with mean 0 and variance 1 for each face.
    """
    image, x = _input(normalized)
    return _heads(name, image, convolutions(x, stages), crowd)


def resnet(name: str, stem: int, stages: tuple[tuple[int, int], ...]) -> keras.Model:
    """Residual blocks of two 3x3 convolutions (He et al. 2015, arXiv:1512.03385) after a pooled stem.

    Args:
        name: of the network.
        stem: width of the first convolution.
        stages: (width, blocks) of each stage; all but the first halve the size, by max pooling before the shortcut
            splits off, because a convolution with stride 2 and padding "same" is not symmetric in TensorFlow.
    """
    image, x = _input()
    x = layers.Conv2D(stem, 3, padding="same", use_bias=False)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.ReLU()(batch_norm()(x))
    for index, (width, blocks) in enumerate(stages):
        if index:
            x = layers.MaxPooling2D(2)(x)
        for block in range(blocks):
            shortcut = x
            if x.shape[-1] != width:
                shortcut = batch_norm()(layers.Conv2D(width, 1, use_bias=False)(x))
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(batch_norm()(x))
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.Add()([batch_norm()(x), shortcut])
            last = index == len(stages) - 1 and block == blocks - 1
            x = layers.ReLU(name="features" if last else None)(x)
    return _heads(name, image, x)


def _input(normalized: bool = True):
    """The input, and the faces with mean 0 and variance 1 each: what the light and the camera's gain do is undone."""
    image = keras.Input((None, None, 1), name="image")
    x = layers.Rescaling(1 / 255)(image)
    if normalized:
        x = layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-4, center=False, scale=False)(x)
    return image, x


def _heads(name: str, image, features, crowd: bool = True) -> keras.Model:
    x = layers.GlobalAveragePooling2D()(features)
    # The heads stay in float32 so that the probabilities sum to one under mixed_bfloat16 too.
    logits = layers.Dense(len(EMOTIONS), dtype="float32", name="logits")(x)
    outputs = {"probabilities": layers.Softmax(dtype="float32", name="probabilities")(logits)}
    if crowd:
        crowd_logits = layers.Dense(len(CROWD), dtype="float32", name="crowd_logits")(x)
        outputs["crowd"] = layers.Softmax(dtype="float32", name="crowd")(crowd_logits)
    return keras.Model(image, outputs, name=name)
