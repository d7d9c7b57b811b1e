"""What the expression of each face is, by an ONNX model."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .model_files import ModelError
from .session import CUDA, Session
from .types import CROWD, EMOTIONS

MODEL = "emotion.onnx"
LIVE_MODEL = "emotion_int8.onnx"
"""The same in 8-bit integers, in a third of the time: for cameras, which wait for nobody, and the many frames of videos."""
OUTPUTS = ("probabilities", "crowd", "activation")
"""What a model may answer; the first is in every model."""


class EmotionClassifier:
    """An emotion model that follows the project's contract, in an ONNX Runtime session; may be shared by threads.

    Input `image` (N, S, S, 1), grey values 0..255; outputs `probabilities` (N, 7) and, in some models, `crowd` (N, 8)
    and `activation` (N, h, w, 7); the metadata names the labels. `inference.types.Face` says what the outputs mean.

    Args:
        model: a file name in models/ or a path.
        threads, cuda: see `inference.session.Session`.

    Raises:
        ModelError: the file is missing, altered, or does not follow the contract.

    Attributes:
        outputs: those of OUTPUTS that the model has.
        input_size: S, the side of a face in pixels.
        temperature: by which the logits of `probabilities` are divided; fitted on validation faces.
        metrics: what was measured on this model, from its metadata.
        session: the inference.session.Session, which knows its provider.
    """

    def __init__(self, model: str | Path = MODEL, threads: int | None = None, cuda: bool = True):
        self.session = Session(model, threads, cuda)
        metadata = self.session.metadata
        inputs, outputs = self.session.inputs, [node.name for node in self.session.outputs]
        try:
            fits = (
                [node.name for node in inputs] == ["image"]
                and "probabilities" in outputs
                and tuple(json.loads(metadata["labels"])) == EMOTIONS
                and (
                    "crowd" not in outputs
                    or tuple(json.loads(metadata.get("crowd_labels", json.dumps(CROWD)))) == CROWD
                )
            )
            self.input_size = int(metadata["input_size"])
            self.temperature = float(metadata.get("temperature", 1))
            self.metrics = json.loads(metadata.get("metrics", "{}"))
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise ModelError("model_not_emotion", model=model)
        self.outputs = tuple(name for name in OUTPUTS if name in outputs)
        self._dtype = np.uint8 if inputs[0].type == "tensor(uint8)" else np.float32

    def preprocess(self, faces: np.ndarray) -> np.ndarray:
        """Faces uint8 (N, S, S) grey or (N, S, S, 3) RGB to the model's input (N, S, S, 1)."""
        if faces.ndim == 4 and faces.shape[3] == 3:
            faces = np.stack([cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces])
        return faces.reshape(len(faces), self.input_size, self.input_size, 1).astype(self._dtype)

    def predict(self, faces: np.ndarray, outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Classify all faces in one run.

        Args:
            faces: uint8 (N, S, S) grey or (N, S, S, 3) RGB, N may be 0.
            outputs: which of `outputs` are wanted; all by default.

        Returns:
            By the names in `outputs`, each float32 (N, ...); every row of `probabilities`, in the order of EMOTIONS, sums to 1.
        """
        names = self.outputs if outputs is None else tuple(outputs)
        # Only a run tells the shapes, so that no faces are predicted like one, of which nothing is kept.
        batch = self.preprocess(faces if len(faces) else np.zeros((1, self.input_size, self.input_size), np.uint8))
        return {name: values[: len(faces)] for name, values in zip(names, self.session.run(names, {"image": batch}))}


def live_model(photos: EmotionClassifier) -> str:
    """The model that frames of cameras and videos are shown to, by what photos are: where that is on CUDA MODEL, which costs nothing
    there."""
    return MODEL if photos.session.provider == CUDA else LIVE_MODEL
