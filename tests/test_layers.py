"""Layers that Keras does not have compute what their docstrings say, and saved networks find them."""

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from inference.types import AGES, central_age
from synthetic import portraits_of
from training import layers
from training.age_gender import train
from training.age_gender.data import SIZE
from training.layers import COMPONENTS, AgeDistribution, AreaResize, FusedBatchNormalization, interval_loss


def test_faces_are_reduced_as_by_opencv():
    faces = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.float32)
    for side in (40, 32, 64):
        expected = np.stack([cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA) for face in faces])
        np.testing.assert_allclose(AreaResize(side)(faces), expected, atol=1e-3)


@pytest.mark.parametrize("scale", [False, True])
def test_fused_batch_norm_is_batch_norm(scale):
    """In training and in use: the same answers and the same running statistics, but for rounding."""
    values = np.random.default_rng(0).normal(1, 2, (64, 6, 6, 5)).astype(np.float32)
    pair = [
        kind(scale=scale, momentum=0.9, gamma_initializer=keras.initializers.RandomUniform(0.5, 2, seed=1))
        for kind in (keras.layers.BatchNormalization, FusedBatchNormalization)
    ]
    trained = [np.array(layer(values, training=True)) for layer in pair]
    np.testing.assert_allclose(*trained, atol=1e-4)
    assert abs(trained[0].mean()) < 1e-4
    used = [np.array(layer(values, training=False)) for layer in pair]
    np.testing.assert_allclose(*used, atol=5e-3)
    assert used[0].mean() > 0.5
    for weight, other in zip(*(layer.get_weights() for layer in pair)):
        np.testing.assert_allclose(weight, other, atol=2e-3)


@pytest.mark.parametrize("layer", [AreaResize, AgeDistribution, FusedBatchNormalization, interval_loss])
def test_saved_networks_find_them_by_a_name_that_does_not_say_where_they_lie(layer):
    name = f"ifade>{layer.__name__}"
    assert keras.saving.get_registered_name(layer) == name and keras.saving.get_registered_object(name) is layer


class TestDistribution:
    def test_bins_of_a_mixture(self):
        """Each bin is the probability of its year under the mixture; all that lies outside is in the first and last."""
        rng = np.random.default_rng(0)
        parameters = rng.normal(size=(5, 3 * len(COMPONENTS))).astype(np.float32)
        bins = keras.ops.convert_to_numpy(AgeDistribution()(parameters))
        assert bins.shape == (5, AGES) and bins.min() > 0
        np.testing.assert_allclose(bins.sum(axis=1), 1, atol=1e-5)
        logits, offset, spread = np.split(parameters[0].astype(float), 3)
        weights = np.exp(logits) / np.exp(logits).sum()
        drawn = rng.choice(len(COMPONENTS), 400_000, p=weights)
        centers, spreads = np.array(COMPONENTS).T
        ages = rng.logistic((centers + 0.5 + layers.OFFSET * offset)[drawn], (spreads * np.exp(np.tanh(spread)))[drawn])
        counts = np.bincount(np.clip(np.floor(ages), 0, AGES - 1).astype(int), minlength=AGES)
        np.testing.assert_allclose(bins[0], counts / len(ages), atol=2.5e-3)

    def test_loss_of_years_and_of_groups(self):
        distribution = np.full((2, AGES), 0.5 / (AGES - 2), np.float32)
        distribution[:, [30, 31]] = [[0.2, 0.3], [0.2, 0.3]]
        admitted = train.admitted_years(portraits_of([30, 30], [30, 39]))
        assert admitted.sum(axis=1).tolist() == [1, 10]
        loss = keras.ops.convert_to_numpy(interval_loss(admitted, distribution))
        np.testing.assert_allclose(loss, -np.log([0.2, 0.5 + 8 * 0.5 / (AGES - 2)]), rtol=1e-5)

    def test_groups_and_years_both_lead_to_the_age(self):
        """Descending the loss brings the distribution's mass to the years that the label admits."""
        first, last = np.array([(year, year) for year in (0, 4, 33, 100)] + [(0, 2), (3, 9), (30, 39), (70, 100)]).T
        admitted = train.admitted_years(portraits_of(first, last))
        parameters = tf.Variable(tf.zeros((len(first), 3 * len(COMPONENTS))))

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(interval_loss(admitted, AgeDistribution()(parameters)))
            parameters.assign_sub(0.1 * tape.gradient(loss, parameters))

        for _ in range(800):
            step()
        distribution = AgeDistribution()(parameters).numpy()
        assert (np.maximum(first - central_age(distribution), central_age(distribution) - last) <= 1.5).all()
        inside = (distribution * admitted).sum(axis=1)
        # A year alone is narrower than the components, but for the youngest and the oldest.
        assert (inside > [0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9]).all()
