"""Whether Keras and ONNX Runtime give the same answers."""

from pathlib import Path

import keras
import numpy as np

from inference.alignment import align_face
from inference.images import SUFFIXES, load_image
from inference.session import Session

TOLERANCE = 1e-4
"""The largest difference of a probability."""

LOOSER = {"activation": 10, "age": 100}
"""Factors on TOLERANCE of the outputs that are logits and years instead of probabilities."""

CLASSES = ("probabilities", "gender")
"""The outputs whose largest value is an answer."""

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
"""The folder of the example photographs."""


class VerificationError(RuntimeError):
    """The exported file does not answer as the network does."""


def verify(model: keras.Model, path: Path, faces: np.ndarray) -> str:
    """Compare every output of a network with its export's, on 256 random faces and real ones, singly and in batches.

    Args:
        model: what was exported, (N, S, S, C) -> dict of outputs.
        path: the .onnx file.
        faces: real faces, uint8 (N, S, S) grey or (N, S, S, 3) RGB.

    Returns:
        A line that says how large the difference was, on how many faces.

    Raises:
        VerificationError: a value differs by 1e-4 or more (LOOSER says of which outputs it may by more), a real face gets
            another class of one of CLASSES, or there is no face.
        ModelError: the file is missing or not an ONNX model.
    """
    if not len(faces):
        raise VerificationError("there are no test faces to compare on.")
    shape = model.input_shape[1:]
    session = Session(path.resolve(), cuda=False)
    random = np.random.default_rng(0).integers(0, 256, (256, *shape), np.uint8)
    worst = 0.0
    for kind, images in (("random", random), ("real", faces)):
        images = images.reshape(-1, *shape).astype(np.float32)
        expected = model.predict(images, batch_size=256, verbose=0)
        batches = [images[i : i + 1] for i in range(min(len(images), 8))]
        batches += [images[i : i + 256] for i in range(len(batches), len(images), 256)]
        outputs = list(expected)
        runs = [session.run(outputs, {"image": batch}) for batch in batches]
        predictions = {name: np.concatenate(parts) for name, parts in zip(outputs, zip(*runs))}
        for name in outputs:
            difference = float(np.abs(predictions[name] - expected[name]).max())
            allowed = TOLERANCE * LOOSER.get(name, 1)
            if not difference < allowed:  # also true for NaN
                raise VerificationError(
                    f"on {kind} faces a value of {name} differs by {difference:.1e} ({allowed:.0e} allowed)."
                )
            if name not in LOOSER:
                worst = max(worst, difference)
            changed = (
                int((predictions[name].argmax(axis=-1) != expected[name].argmax(axis=-1)).sum())
                if name in CLASSES
                else 0
            )
            if kind == "real" and changed:
                raise VerificationError(f"{changed} of {len(faces)} real faces get another class.")
    return (
        f"Keras and ONNX Runtime agree: max difference {worst:.1e} of a probability, {len(random)} random and "
        f"{len(faces):,} real faces"
    )


def example_faces(size: int = 48) -> np.ndarray:
    """Grey faces uint8 (N, size, size) cut from the example photographs, each also mirrored."""
    from inference.detector import FaceDetector

    detector, faces = FaceDetector(), []
    for file in sorted(file for file in EXAMPLES.iterdir() if file.suffix in SUFFIXES):
        image = load_image(file)
        for view in (image, np.ascontiguousarray(image[:, ::-1])):
            faces += [align_face(view, found, size).mean(axis=2).astype(np.uint8) for found in detector.detect(view)]
    return np.stack(faces)
