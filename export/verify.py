"""Do Keras and ONNX Runtime give the same answers?

    python -m export.verify MODEL.keras [MODEL.keras ...] MODEL.onnx [--data DIR]

Without FER-2013 (--data, or FER2013_DIR in the environment) the faces of the example photographs are compared.
"""

import argparse
import keras
import numpy as np
import sys
from pathlib import Path

from inference.alignment import align_face
from inference.images import SUFFIXES, load_image
from inference.model_files import ModelError
from inference.session import Session
from training.data import DataError, add_data_arguments, load_fer2013

TOLERANCE = 1e-4
LOOSER = {"activation": 10, "age": 100}
"""Factors on TOLERANCE of the outputs that are logits and years instead of probabilities."""
CLASSES = ("probabilities", "gender")
"""The outputs whose largest value is an answer."""
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


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
        answers = {name: np.concatenate(parts) for name, parts in zip(outputs, zip(*runs))}
        for name in outputs:
            difference = float(np.abs(answers[name] - expected[name]).max())
            allowed = TOLERANCE * LOOSER.get(name, 1)
            if not difference < allowed:  # also true for NaN
                raise VerificationError(
                    f"on {kind} faces a value of {name} differs by {difference:.1e} ({allowed:.0e} allowed)."
                )
            if name not in LOOSER:
                worst = max(worst, difference)
            changed = (
                int((answers[name].argmax(axis=-1) != expected[name].argmax(axis=-1)).sum()) if name in CLASSES else 0
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.verify", description="Compare a network with its export.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    parser.add_argument("onnx", type=Path, metavar="MODEL.onnx", help="the file made from them")
    add_data_arguments(parser, required=False)
    args = parser.parse_args()
    from export.to_onnx import serving_network

    try:
        real = load_fer2013(args.data, official=not args.unofficial) if args.data else None
        networks = [keras.models.load_model(path, compile=False) for path in args.models]
        metadata = Session(args.onnx.resolve(), cuda=False).metadata
        temperatures = [float(metadata.get(name, 1)) for name in ("temperature", "crowd_temperature")]
        faces = example_faces() if real is None else real.images[real.splits > 0]
        mirrored = metadata.get("mirrored") == "true"
        print(verify(serving_network(networks, *temperatures, mirrored), args.onnx, faces))
    except (DataError, ModelError, VerificationError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
