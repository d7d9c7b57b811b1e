"""A file that answers otherwise than its network is refused."""

import keras
import numpy as np
import onnx
import pytest
from keras import layers

from export import parity, verify
from export.emotion import serving_network
from export.onnx_graph import convert, metadata_of
from export.parity import VerificationError
from networks import alter
from training.layers import load_network


@pytest.fixture(scope="module")
def network(trained) -> keras.Model:
    return load_network(trained / "model.keras")


@pytest.fixture(scope="module")
def tie():
    """Two networks: one answers angry to everything, by a hair, the other disgust."""
    models = []
    for biases in ([1e-5, 0, -9, -9, -9, -9, -9], [0, 1e-5, -9, -9, -9, -9, -9]):
        image = keras.Input((48, 48, 1))
        head = layers.Dense(7, name="logits")
        answer = layers.Softmax(name="probabilities")(head(layers.Flatten()(image)))
        head.set_weights([np.zeros((48 * 48, 7)), np.array(biases)])
        models.append(keras.Model(image, {"probabilities": answer}))
    return models


class TestVerify:
    def test_agreement(self, network, exported, synthetic):
        metadata = metadata_of(onnx.load(exported))
        line = parity.verify(
            serving_network([network], float(metadata["temperature"]), mirrored=True), exported, synthetic.images
        )
        assert "agree" in line and "256 random and 182 real faces" in line

    @pytest.mark.parametrize(
        "change", [lambda weights: weights * np.float32(1.5), lambda weights: weights * np.float32(np.nan)]
    )
    def test_altered_weights(self, network, synthetic, tmp_path, change):
        onnx.save(alter(convert(network, {}), change), tmp_path / "model.onnx")
        with pytest.raises(VerificationError, match="a value of probabilities differs by"):
            parity.verify(network, tmp_path / "model.onnx", synthetic.images)

    def test_another_class(self, tie, synthetic, tmp_path):
        """Probabilities that differ by a few millionths are still refused where the answer becomes another."""
        angry, disgusted = tie
        onnx.save(convert(disgusted, {}), tmp_path / "model.onnx")
        assert "agree" in parity.verify(disgusted, tmp_path / "model.onnx", synthetic.images)
        with pytest.raises(VerificationError, match="182 of 182 real faces get another class"):
            parity.verify(angry, tmp_path / "model.onnx", synthetic.images)

    def test_no_faces(self, network, exported, synthetic):
        with pytest.raises(VerificationError, match="no test faces"):
            parity.verify(network, exported, synthetic.images[:0])

    def test_command(self, trained, exported, synthetic_dir, tmp_path, call, capsys):
        data = ("--data", synthetic_dir, "--unofficial")
        assert call(verify.main, trained / "model.keras", exported, *data) == 0
        assert "Keras and ONNX Runtime agree" in capsys.readouterr().out
        onnx.save(alter(exported, lambda weights: weights * np.float32(1.5)), tmp_path / "altered.onnx")
        assert call(verify.main, trained / "model.keras", tmp_path / "altered.onnx", *data) == 1
        assert "error: on random faces a value of probabilities differs by" in capsys.readouterr().err
        (tmp_path / "broken.onnx").write_bytes(b"no model")
        for name in ("broken.onnx", "missing.onnx"):
            assert call(verify.main, trained / "model.keras", tmp_path / name, *data) == 1
            assert name in capsys.readouterr().err
