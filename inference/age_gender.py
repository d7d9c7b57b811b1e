"""What age and gender each face appears to have, by an ONNX model."""

import json
import os
from pathlib import Path

import numpy as np

from .alignment import AGE_GENDER_FRAMING, align_face
from .model_files import MODELS, ModelError
from .session import Session
from .types import AGES, GENDERS, Detection

OUTPUTS = ("age", "age_distribution", "gender")
DEFAULT_MODEL = "age_gender.onnx"


class AgeGenderEstimator:
    """An age and gender model that follows the project's contract, in an ONNX Runtime session; may be shared by threads.

    Input `image` (N, S, S, 3), RGB values 0..255; outputs `age` (N,) in years, `age_distribution` (N, AGES) and `gender`
    (N, 2), both calibrated; the metadata names the labels. `inference.types.Face` says what the outputs mean.

    Args:
        model: a file name in models/ or a path; default: what AGE_GENDER_MODEL of the environment names, else
            age_gender.onnx.
        threads, cuda: see `inference.session.Session`.

    Raises:
        ModelError: the file is missing, altered, or does not follow the contract.

    Attributes:
        input_size: S, the side of a face in pixels.
        metrics: what was measured on this model, from its metadata.
        session: the inference.session.Session, which knows its provider.
    """

    def __init__(self, model: str | Path | None = None, threads: int | None = None, cuda: bool = True):
        model = model or os.environ.get("AGE_GENDER_MODEL") or DEFAULT_MODEL
        self.session = Session(model, threads, cuda)
        metadata, inputs, outputs = self.session.metadata, self.session.inputs, self.session.outputs
        try:
            fits = (
                [node.name for node in inputs] == ["image"]
                and set(OUTPUTS) <= {node.name for node in outputs}
                and tuple(json.loads(metadata["labels"])) == GENDERS
                and next(node.shape[-1] for node in outputs if node.name == "age_distribution") == AGES
            )
            self.input_size = int(metadata["input_size"])
            self.metrics = json.loads(metadata.get("metrics", "{}"))
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise ModelError("model_not_age_gender", model=model)
        self._dtype = np.uint8 if inputs[0].type == "tensor(uint8)" else np.float32

    def crop(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        """Cut a face out of a picture, uint8 (H, W, 3) RGB, as the model wants it: uint8 (S, S, 3)."""
        return align_face(image, detection, self.input_size, **AGE_GENDER_FRAMING)

    def preprocess(self, faces: np.ndarray) -> np.ndarray:
        """Faces uint8 (N, S, S, 3) RGB to the model's input of the same shape."""
        return faces.reshape(len(faces), self.input_size, self.input_size, 3).astype(self._dtype)

    def predict(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """All that the model says of all faces, in one run.

        Args:
            faces: uint8 (N, S, S, 3) RGB, cut out by `crop`; N may be 0.

        Returns:
            float32 `age` (N,), `age_distribution` (N, AGES), whose rows sum to 1, and `gender` (N, 2), in the order of
            GENDERS, whose rows sum to 1.
        """
        if not len(faces):
            return dict(zip(OUTPUTS, (np.zeros(s, np.float32) for s in (0, (0, AGES), (0, len(GENDERS))))))
        return dict(zip(OUTPUTS, self.session.run(OUTPUTS, {"image": self.preprocess(faces)})))


def find_estimator(threads: int | None = None, cuda: bool = True) -> AgeGenderEstimator | None:
    """The default estimator, or None where its file was left out; everything else works without it.

    Args:
        threads, cuda: see `inference.session.Session`.

    Raises:
        ModelError: the file is altered, or AGE_GENDER_MODEL names one that is missing.
    """
    if not os.environ.get("AGE_GENDER_MODEL") and not (MODELS / DEFAULT_MODEL).exists():
        return None
    try:
        return AgeGenderEstimator(threads=threads, cuda=cuda)
    except ModelError as error:
        if os.environ.get("AGE_GENDER_MODEL"):
            raise ModelError("age_gender_asked_for", problem=error) from None
        raise ModelError("age_gender_can_be_left_out", problem=error, model=DEFAULT_MODEL) from None
