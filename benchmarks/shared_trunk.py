"""Could age and gender be read from what the emotion network has learned already?

    python -m benchmarks.shared_trunk --fairface DIR [--docs]

Fits linear probes (ridge regression on one-hot labels: Alain and Bengio 2016, arXiv:1610.01644) for gender and age group on
the pooled last feature maps of models/emotion.onnx and of models/age_gender.onnx, of the same training faces of FairFace,
and measures them on its validation faces, which were taken from its training part. The test faces are not touched.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx

from benchmarks.results import write_result
from export.quantize import heads
from inference.age_gender import AgeGenderEstimator
from inference.alignment import align_face
from inference.model_files import MODELS
from inference.session import CPU
from training.age_gender.data import (
    AGE_GROUPS,
    Portraits,
    add_demographics_arguments,
    load_portraits,
    read_picture,
    to_detection,
)
from training.age_gender.evaluate import likeliest_group
from training.datasets import DataError

FACES = 6_000
"""The probes are fitted on so many training faces."""
PENALTY = 1.0
"""The penalty of the ridge regression, in units of the variance of one standardized feature over all faces."""


def feature_extractor(model: Path):
    """A function from faces (N, S, S, C) to the pooled last feature maps (N, K) of all networks in an .onnx file."""
    import onnxruntime

    graph = onnx.load(model)
    after = set(heads(graph))
    ends = {node.output[0] for node in graph.graph.node if node.name not in after and node.op_type == "Relu"}
    last = sorted(ends & {name for node in graph.graph.node if node.name in after for name in node.input})
    for name in last:
        graph.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=[CPU])

    def features(images: np.ndarray) -> np.ndarray:
        batches = []
        for start in range(0, len(images), 128):
            maps = session.run(last, {"image": images[start : start + 128].astype(np.float32)})
            batches.append(np.concatenate([each.mean(axis=(2, 3)) for each in maps], axis=1))
        return np.concatenate(batches)

    return features


def probe(training: np.ndarray, labels: np.ndarray, validation: np.ndarray) -> np.ndarray:
    """The answers (M,) of a ridge regression from features (N, K) to labels (N,), on other features (M, K)."""
    mean, deviation = training.mean(axis=0), training.std(axis=0) + 1e-6
    x, y = (training - mean) / deviation, np.eye(labels.max() + 1)[labels]
    weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
    return ((validation - mean) / deviation @ weights + y.mean(axis=0)).argmax(axis=1)


def emotion_crops(portraits: Portraits) -> np.ndarray:
    """The faces as the emotion network is given them: uint8 (N, 48, 48, 1)."""
    crops = []
    for path, values in zip(portraits.paths, portraits.detections):
        crops.append(cv2.cvtColor(align_face(read_picture(path), to_detection(values)), cv2.COLOR_RGB2GRAY)[..., None])
    return np.stack(crops)


def measure(portraits: Portraits) -> dict[str, dict[str, float]]:
    """By row of the table: the part of the validation faces, 0 to 1, whose gender and whose age group is right."""
    training, validation = portraits.part("training"), portraits.part("validation")
    chosen = np.random.default_rng(0).choice(len(training), min(FACES, len(training)), replace=False)
    training = training.select(chosen)

    def right(gender: np.ndarray, group: np.ndarray) -> dict[str, float]:
        pairs = {"gender": (gender, validation.genders), "exact_group": (group, validation.age_groups)}
        return {name: float((predicted == labels).mean()) for name, (predicted, labels) in pairs.items()}

    rows = {}
    for title, file, crops in (
        ("features of the emotion network, linear probe", "emotion.onnx", emotion_crops),
        ("features of the age and gender network, linear probe", "age_gender.onnx", lambda faces: faces.images),
    ):
        features = feature_extractor(MODELS / file)
        known, asked = features(crops(training)), features(crops(validation))
        rows[title] = right(*(probe(known, labels, asked) for labels in (training.genders, training.age_groups)))
    predictions = AgeGenderEstimator(threads=1).predict(validation.images)
    rows["the age and gender network"] = right(
        predictions["gender"].argmax(axis=1), likeliest_group(predictions["age_distribution"])
    )
    return rows


def to_markdown(rows: dict[str, dict[str, float]], portraits: Portraits) -> str:
    """The page in docs/results."""
    validation = portraits.part("validation")
    most = np.bincount(validation.age_groups).max() / len(validation)
    lines = ["| answer from | gender | exact age group |", "|---|---|---|"]
    lines += [f"| {title} | {row['gender']:.1%} | {row['exact_group']:.1%} |" for title, row in rows.items()]
    return "\n".join(
        [
            *lines,
            "",
            f"{len(validation):,} validation faces of FairFace; probes fitted on "
            f"{min(FACES, len(portraits.part('training'))):,} training faces. The most frequent of the {len(AGE_GROUPS)} "
            f"groups has {most:.1%}. Written by `python -m benchmarks.shared_trunk --fairface DIR --docs`.",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared_trunk", description="One trunk or two?")
    add_demographics_arguments(parser)
    parser.add_argument("--docs", action="store_true", help="write docs/results/shared_trunk.md")
    args = parser.parse_args()
    try:
        portraits, _ = load_portraits(args.fairface, None, args.crops)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = measure(portraits)
    section = to_markdown(rows, portraits)
    print(section)
    if args.docs:
        write_result("shared_trunk", "One network or two?", section, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
