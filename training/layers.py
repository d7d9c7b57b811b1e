"""What the networks are made of.

The layers and the loss that Keras does not have are registered by their names, so that saved networks can be loaded: wherever
the classes lie, importing this module makes them known. So `load_network` is here.
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from inference.types import AGES

COMPONENTS = ((1, 0.7), (5, 1.5), (12, 2.5), (20, 3), (28, 3), (37, 3.5), (47, 3.5), (58, 4), (70, 5), (84, 6))
"""Age and spread in years of each logistic distribution before training: dense where a year shows most."""
OFFSET = 5.0
"""Years by which a component moves for each unit of the network's answer."""
FLOOR = 1e-3
"""The part of every age distribution that is even over all years, so that one wrong label costs a bounded loss."""


def load_network(path: str | Path) -> keras.Model:
    """A trained network from a .keras file, to use it, not to train on.

    Raises:
        OSError, ValueError, TypeError: the file is missing, or holds no network.
    """
    return keras.models.load_model(path, compile=False)


def convolutions(x, stages: tuple[tuple[int, ...], ...]):
    """3x3 convolutions of (N, H, W, C), each with batch norm and ReLU, and a max pooling between two stages.

    Args:
        x: what they are applied to.
        stages: the widths of each stage's convolutions.

    Returns:
        The last feature maps, of the layer named "features".
    """
    for index, widths in enumerate(stages):
        for position, width in enumerate(widths):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            last = position == len(widths) - 1
            if last and index < len(stages) - 1:
                # Before the batch norm and not after it: the same function, and a third faster to train.
                x = layers.MaxPooling2D(2)(x)
            x = batch_norm()(x)
            x = layers.ReLU(name="features" if last and index == len(stages) - 1 else None)(x)
    return x


def batch_norm() -> layers.Layer:
    """Batch norm without a scale, which a convolution followed by a ReLU does not need; so it can be folded through a
    max pooling into the convolution, because what it multiplies with is positive."""
    return FusedBatchNormalization(scale=False, momentum=0.98)


@keras.saving.register_keras_serializable("ifade")
class FusedBatchNormalization(layers.BatchNormalization):
    """The same by TensorFlow's one operation instead of Keras' many: a MobileNet trains in two thirds of the time.

    Only for (N, H, W, C). Its weights are BatchNormalization's, and under other backends it is that layer.
    """

    def call(self, inputs, training=None, mask=None):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        scale = self.gamma.value if self.scale else tf.ones_like(self.beta)
        if not training:
            moments = {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
            return tf.compat.v1.nn.fused_batch_norm(
                inputs, scale, self.beta.value, epsilon=self.epsilon, is_training=False, **moments
            )[0]
        output, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, scale, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return output


@keras.saving.register_keras_serializable("ifade")
class AreaResize(layers.Layer):
    """Faces (N, S, S, C) averaged down to `side` pixels: each is the mean of the area that it covers, as of cv2.INTER_AREA."""

    def __init__(self, side: int, **options):
        super().__init__(**options)
        self.side = side

    def build(self, input_shape):
        size = input_shape[1]
        edges = np.arange(size + 1)
        ends = np.arange(self.side + 1) * size / self.side
        low, high = np.maximum(edges[:-1], ends[:-1, None]), np.minimum(edges[1:], ends[1:, None])
        self.weights_of_pixels = (np.maximum(high - low, 0) * self.side / size).astype(np.float32)  # (side, S)

    def call(self, faces):
        size, channels = faces.shape[2], faces.shape[3]
        rows = keras.ops.matmul(self.weights_of_pixels, keras.ops.reshape(faces, (-1, size, size * channels)))
        return keras.ops.matmul(self.weights_of_pixels, keras.ops.reshape(rows, (-1, self.side, size, channels)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "side": self.side}


@keras.saving.register_keras_serializable("ifade")
class AgeDistribution(layers.Layer):
    """Probabilities of the years 0 to 100 from a mixture of logistic distributions, each year an interval of the age.

    The discretized logistic mixture of Salimans et al. 2017 (arXiv:1701.05517) with one component about each of
    COMPONENTS; for a single component it is the cumulative link model of McCullagh 1980 ("Regression models for ordinal
    data") with known thresholds. An age of k years lies between k and k + 1; all below 1 is 0, all from 100 on is 100.

    Input (N, 3 * len(COMPONENTS)): logits of the components, their offsets in units of OFFSET, and the logarithm of the
    factor on their spread, which is kept between 1/e and e. Output (N, AGES), summing to 1.
    """

    def call(self, parameters):
        logits, offset, spread = keras.ops.split(parameters, 3, axis=-1)
        centers, spreads = (np.array(values, np.float32) for values in zip(*COMPONENTS))
        weights = keras.ops.softmax(logits, axis=-1)[..., None]
        center = (centers + 0.5 + OFFSET * offset)[..., None]
        spread = (spreads * keras.ops.exp(keras.ops.tanh(spread)))[..., None]
        edges = np.arange(1, AGES, dtype=np.float32)
        below = keras.ops.sum(weights * keras.ops.sigmoid((edges - center) / spread), axis=1)
        bounds = keras.ops.pad(below, ((0, 0), (0, 1)), constant_values=1.0) - keras.ops.pad(below, ((0, 0), (1, 0)))
        return (1 - FLOOR) * bounds + FLOOR / AGES

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], AGES)


@keras.saving.register_keras_serializable("ifade")
def interval_loss(years, distribution):
    """Negative logarithm of the probability of the years that the label admits, in nats: (N,).

    An age in years admits one, an age group all of its years: the likelihood of a group is the sum of its bins, as for
    interval-censored observations. So exact ages and groups train the same head.

    Args:
        years: (N, AGES), 1 for the years that the label admits, else 0.
        distribution: (N, AGES), summing to 1.
    """
    return -keras.ops.log(keras.ops.maximum(keras.ops.sum(years * distribution, axis=-1), 1e-9))
