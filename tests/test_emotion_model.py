"""The networks are what their recipes and the paper say."""

import keras
import numpy as np
import pytest
from keras import layers

from inference.types import EMOTIONS
from training.emotion.model import paper_cnn
from training.emotion.recipes import RECIPES
from training.recipe import sgd


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return paper_cnn()


class TestPaperNetwork:
    def test_layers(self, network):
        assert network.count_params() == 2_345_607
        described = []
        for layer in network.layers:
            config = layer.get_config()
            if isinstance(layer, layers.Conv2D):
                assert config["kernel_size"] == (3, 3) and config["strides"] == (1, 1)
                described.append(("Conv2D", config["filters"], config["padding"], config["activation"]))
            elif isinstance(layer, layers.MaxPooling2D):
                described.append(("MaxPooling2D", *config["pool_size"], *config["strides"], config["padding"]))
            elif isinstance(layer, layers.Dense):
                described.append(("Dense", config["units"], config["activation"]))
            elif isinstance(layer, layers.Dropout):
                described.append(("Dropout", config["rate"]))
            else:
                described.append(type(layer).__name__)
        assert described == [
            "InputLayer",
            "Rescaling",
            ("Conv2D", 32, "valid", "relu"),
            ("Conv2D", 64, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Dropout", 0.25),
            ("Conv2D", 128, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Conv2D", 128, "valid", "relu"),
            ("MaxPooling2D", 2, 2, 2, 2, "valid"),
            ("Dropout", 0.25),
            "Flatten",
            ("Dense", 1024, "relu"),
            ("Dropout", 0.5),
            ("Dense", 7, "linear"),
            "Softmax",
        ]

    def test_form(self, network, synthetic):
        assert network.input_shape == (None, 48, 48, 1)
        assert {name: output.shape for name, output in network.output.items()} == {
            "probabilities": (None, len(EMOTIONS))
        }
        sides = [layer.output.shape[1] for layer in network.layers if len(layer.output.shape) == 4]
        assert sides == [48, 48, 46, 44, 22, 22, 20, 10, 8, 4, 4]
        probabilities = network.predict(synthetic.images[:9, ..., None], verbose=0)["probabilities"]
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5) and (probabilities >= 0).all()

    def test_rescaling_is_inside(self, network, synthetic):
        """Grey values 0..255 go in: behind the first layer the network sees 0..1."""
        images = synthetic.images[:9, ..., None].astype(np.float32)
        rest = keras.Sequential([keras.Input((48, 48, 1)), *network.layers[2:]])
        found = network.predict(images, verbose=0)["probabilities"]
        assert np.abs(found - rest.predict(images / 255, verbose=0)).max() < 1e-5
        assert np.abs(found - rest.predict(images, verbose=0)).max() > 1e-2

    def test_recipe(self):
        recipe = RECIPES["paper"]
        assert (recipe.epochs, recipe.batch_size) == (102, 128) and recipe.augmentation.flip
        assert recipe.build is paper_cnn and isinstance(recipe.optimizer(1000), keras.optimizers.Adam)


class TestOtherNetworks:
    @pytest.mark.parametrize("name", [name for name in RECIPES if name != "paper"])
    def test_form(self, name, synthetic):
        """Two heads over faces of either size that the recipe trains on."""
        recipe = RECIPES[name]
        network = recipe.build()
        assert network.name == name.partition("-")[0]
        for side in sorted({side for side, _ in recipe.sizes}):
            answers = network(np.resize(synthetic.images, (1, side, side, 1)), training=False)
            assert answers["probabilities"].shape == (1, 7) and answers["crowd"].shape == (1, 8)
            for values in answers.values():
                assert values.numpy().sum(axis=1) == pytest.approx(1, abs=1e-5)

    def test_light_and_gain_do_not_matter(self, synthetic):
        """Each face is normalised within the network."""
        network = RECIPES["vgg7"].build()
        faces = synthetic.images[20:29, ..., None].astype(np.float32)
        found, brighter = (network(images)["crowd"].numpy() for images in (faces, faces * 0.8 + 20))
        np.testing.assert_allclose(found, brighter, atol=5e-5)
        assert np.abs(found - found[:1]).max() > 2e-4

    def test_learning_rate(self):
        """Up over a twentieth of the steps, and down to zero."""
        schedule = sgd(0.1)(1000)._learning_rate
        rates = np.array([float(schedule(step)) for step in (0, 25, 50, 525, 1000)])
        assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0], abs=1e-3)

    def test_running_average(self):
        """Over a part of the schedule, however long that is."""
        assert sgd(0.1, average=0.04)(10_000).ema_momentum == pytest.approx(1 - 1 / 400)
        assert not sgd(0.1, average=0)(10_000).use_ema and sgd(0.1)(5).ema_momentum == 0

    def test_sizes(self):
        recipe = RECIPES["vgg7"]
        assert [recipe.side(progress) for progress in (0, 0.59, 0.6, 0.99)] == [40, 40, 48, 48]
