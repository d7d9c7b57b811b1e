"""Train the network that tells human faces from what the search mistakes for them.

    python -m training.face_check --fairface DIR --utkface DIR --others DIR --out runs/face-check
    python -m export.face_check runs/face-check/model.keras models/face_check.onnx

--others is a folder of pictures without a person. A network of the crop is trained first, whose mean for the crop and its mirror
image a logistic regression then joins with what YuNet and BlazeFace say of the same candidate (`inference.face_check.measure`).
Both kinds go the same way: pictures of others are cut off around a candidate as those of people are around a face, both are scaled
so that faces have 14 to 110 pixels, and searched again. Pictures are parted by name: the network learns from three fifths, the
regression from a fourth, and the last is for the figures in report.json.
"""

import argparse
import json
import math
import os
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import cv2
import keras
import numpy as np
from tqdm import tqdm

from inference.detector import FaceDetector, as_near
from inference.face_check import VIEW, measure
from inference.images import load_image
from inference.search import CANDIDATE_SCORE, scaled, suppress
from inference.types import Detection
from training.augment import Augmentation, augment
from training.layers import convolutions

PARTS, JOINED, LAST = 5, 3, 4
"""Pictures are parted into so many; the regression is fitted on one, and one is measured at the end."""
PEOPLE = {"fairface": 5000, "utkface": 2500}
VIEWS_OF_OTHERS = 6
SMALLEST, LARGEST = 14, 110
"""Sides of the faces in pixels, drawn evenly on a logarithmic scale."""
STAGES = ((16,), (32,), (48, 48), (64, 64))
AUGMENTATION = Augmentation(
    flip=True,
    stretch=0.05,
    scale=(0.95, 1.15),
    shift=0.05,
    rotation=12,
    brightness=30,
    contrast=0.35,
    saturation=1.0,
    tint=0.15,
    degraded=0.2,
    shrink=(0.25, 0.8),
    noise=(2.0, 12.0),
    jpeg=(30.0, 90.0),
    erased=0.15,
)
FRAMED = 0.7
"""The part of the crops whose edges are another's: of people an animal's, as hats, hoods, collars and beards look, and of animals a
person's. The network is to go by the middle."""
ACROSS, DOWN = ((0.0, 0.2), (0.8, 1.0)), ((0.0, 0.33), (0.55, 1.0))
"""Between which parts of the side the two seams lie, if there are any."""
EPOCHS, BATCH_SIZE, RATE = 32, 128, 2e-3


class Samples(NamedTuple):
    """Crops uint8 (N, S, S, 3), measures float32 (N, M), labels (N,) 1 for people, parts (N,), and names of the pictures."""

    crops: np.ndarray
    measures: np.ndarray
    labels: np.ndarray
    parts: np.ndarray
    names: np.ndarray


def part(name: str) -> int:
    return zlib.crc32(name.encode()) % PARTS


def side_of(face: Detection) -> float:
    x1, y1, x2, y2 = face.box
    return max(x2 - x1, y2 - y1)


def find(detector: FaceDetector, image: np.ndarray) -> list[Detection]:
    """The candidates of a small picture."""
    factors = {1.0, min(160 / max(image.shape), 1.0)}
    places = suppress([place for factor in factors for place in detector.searcher.see_scaled(image, factor)])
    return [place for place in places if place.score >= CANDIDATE_SCORE]


def window(image: np.ndarray, place: Detection, rng: np.random.Generator) -> np.ndarray:
    """A picture cut off around a candidate as FairFace's and UTKFace's are around a face."""
    x1, y1, x2, y2 = place.box
    room = side_of(place) * rng.uniform(0.5, 0.75, 4)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = max(round(x - room[0]), 0), max(round(y - room[1]), 0)
    return image[top : round(y + room[3]), left : round(x + room[2])]


def collect(args: argparse.Namespace) -> Samples:
    """All samples: a candidate in the middle of each picture of a person, and those of the pictures of others."""
    rng, detector, rows = np.random.default_rng(0), FaceDetector(threads=1, cuda=False), []

    def add(image: np.ndarray, side: float, label: int, name: str) -> None:
        target = math.exp(rng.uniform(math.log(SMALLEST), math.log(min(LARGEST, 1.5 * side))))
        picture = scaled(image, target / side)
        middle = np.array(picture.shape[1::-1]) / 2
        for place in find(detector, picture):
            center = np.array([place.box[0] + place.box[2], place.box[1] + place.box[3]]) / 2
            if np.abs(center - middle).max() < 0.4 * target and 0.6 < side_of(place) / target < 1.6:
                looks = detector.look_again(picture, [as_near(place)])
                crops, values = measure(detector.searcher, picture, [place], looks)
                rows.append((crops[0], values[0], label, part(name), name))
                return

    for kind, folder in (("fairface", args.fairface / "train"), ("utkface", args.utkface / "UTKFace")):
        files = sorted(folder.iterdir())
        for index in tqdm(rng.permutation(len(files))[: PEOPLE[kind]], desc=kind, mininterval=10):
            image = load_image(files[index])
            places = find(detector, image)
            if places:
                add(image, side_of(max(places, key=side_of)), 1, files[index].name)
    for file in tqdm(sorted(args.others.rglob("*.jpg")), desc="others", mininterval=10):
        image = load_image(file)
        for place in detector.searcher.search(image):
            for _ in range(VIEWS_OF_OTHERS):
                add(window(image, place, rng), side_of(place), 0, file.name)
            # And as it lies there.
            crops, values = measure(detector.searcher, image, [place], detector.look_again(image, [as_near(place)]))
            rows.append((crops[0], values[0], 0, part(file.name), f"whole {file.name}"))
    detector.close()
    return Samples(*map(np.array, zip(*rows)))


def cut_off(samples: Samples) -> np.ndarray:
    """Which are of pictures cut off around them, as those of people all are: whole pictures would be told by that alone."""
    return ~np.char.startswith(samples.names, "whole ")


def symmetric(network: keras.Model) -> keras.Model:
    """The mean of its logits for a crop and for its mirror image."""
    image = keras.Input(network.inputs[0].shape[1:], name="image")
    return keras.Model(image, (network(image) + network(keras.ops.flip(image, axis=2))) / 2, name="symmetric")


def framed(crops: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crops uint8 (N, S, S, 3) with the edges of others (N, S, S, 3), half of which lose their colors, lighter or darker. Each of the
    four edges has half of them, up to a soft seam."""
    count, side = crops.shape[:2]
    places = (np.arange(side) + 0.5) / side

    def inside(before: tuple[float, float], after: tuple[float, float]) -> np.ndarray:
        first, last = (
            np.where(rng.random(count) < 0.5, rng.uniform(*ends, count), nowhere)[:, None]
            for ends, nowhere in ((before, -1), (after, 2))
        )
        soft = rng.uniform(0.005, 0.02, (count, 1))
        return 1 / (
            1 + np.exp(np.clip((first - places) / soft, -50, 50)) + np.exp(np.clip((places - last) / soft, -50, 50))
        )

    kept = (inside(*DOWN)[:, :, None] * inside(*ACROSS)[:, None, :])[..., None]
    others = others.astype(np.float32)
    colorless = rng.choice((0.0, 1.0), (count, 1, 1, 1))
    others += colorless * (others.mean(axis=3, keepdims=True) - others)
    others = others * rng.uniform(0.5, 1.2, (count, 1, 1, 1)) + rng.uniform(-40, 80, (count, 1, 1, 1))
    return (crops * kept + np.clip(others, 0, 255) * (1 - kept)).round().astype(np.uint8)


def content_network() -> keras.Model:
    """float32 (N, S, S, 3) RGB 0..255 to a logit (N, 1)."""
    image = keras.Input((VIEW // 2, VIEW // 2, 3), name="image")
    x = convolutions(keras.layers.Rescaling(1 / 127.5, -1)(image), STAGES)
    x = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling2D()(x), keras.layers.GlobalMaxPooling2D()(x)])
    return keras.Model(image, keras.layers.Dense(1)(keras.layers.Dropout(0.3)(x)), name="content")


def train_content(samples: Samples, epochs: int) -> keras.Model:
    """A network of the crop, shown as many people as others in every epoch."""
    network, rng = content_network(), np.random.default_rng(0)
    kinds = [
        np.flatnonzero((samples.labels == label) & (samples.parts < JOINED) & cut_off(samples)) for label in (0, 1)
    ]
    count = max(map(len, kinds))
    steps = epochs * (2 * count // BATCH_SIZE)
    network.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=0.02),
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.02),
    )
    for epoch in range(epochs):
        chosen = rng.permutation(np.concatenate([rng.permutation(np.resize(rng.permutation(k), count)) for k in kinds]))
        images = samples.crops[chosen].copy()
        for label in (0, 1):
            own, other = (np.flatnonzero(samples.labels[chosen] == kind) for kind in (label, 1 - label))
            own = own[rng.random(len(own)) < FRAMED]
            images[own] = framed(images[own], samples.crops[chosen[rng.choice(other, len(own))]], rng)
        images = augment(images, AUGMENTATION, rng)
        labels, losses = samples.labels[chosen].astype(np.float32)[:, None], []
        for start in range(0, len(chosen) - BATCH_SIZE + 1, BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            losses.append(float(network.train_on_batch(images[batch].astype(np.float32), labels[batch])))
        print(f"epoch {epoch + 1}, loss {np.mean(losses[-20:]):.4f}", flush=True)
    return network


def fit_logistic(values: np.ndarray, labels: np.ndarray, penalty: float = 1e-2) -> tuple[np.ndarray, float]:
    """Weights (M,) and bias of a logistic regression in which both kinds weigh the same, by Newton's method."""
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-6
    design = np.column_stack([(values - mean) / scale, np.ones(len(values))])
    weights = np.where(labels == 1, 0.5 / (labels == 1).mean(), 0.5 / (labels == 0).mean()) / len(labels)
    beta, ridge = np.zeros(design.shape[1]), np.diag([penalty] * values.shape[1] + [0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weights * (p - labels)) + ridge @ beta
        hessian = (design * (weights * p * (1 - p))[:, None]).T @ design + ridge
        beta -= np.linalg.solve(hessian, gradient)
    return beta[:-1] / scale, float(beta[-1] - (beta[:-1] * mean / scale).sum())


def report(samples: Samples, scores: np.ndarray, chosen: np.ndarray) -> dict:
    """By threshold: the share of the whole pictures of others with a false face, and of people kept, by size in pixels."""
    sides = 32 * np.exp(samples.measures[:, 1])
    whole = chosen & ~cut_off(samples)
    names, where = np.unique(samples.names[whole], return_inverse=True)
    best = np.zeros(len(names))
    np.maximum.at(best, where, scores[whole])
    people = chosen & (samples.labels == 1)
    rows = {}
    for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        rows[str(threshold)] = {"pictures with a false face": round(float((best >= threshold).mean()), 4)} | {
            f"people of {low} to {high} px": round(
                float((scores[people & (sides >= low) & (sides < high)] >= threshold).mean()), 4
            )
            for low, high in ((12, 20), (20, 32), (32, 64), (64, 200))
        }
    bins = np.digitize(scores[chosen], np.linspace(0, 1, 11)[1:-1])
    weights = np.where(samples.labels == 1, 1 / people.sum(), 1 / (chosen & (samples.labels == 0)).sum())[chosen]
    error = sum(
        abs((weights * (samples.labels[chosen] - scores[chosen]))[bins == number].sum()) for number in range(10)
    )
    return {
        "pictures of others": len(names),
        "people": int(people.sum()),
        "calibration_error": round(error / 2, 4),
        "by threshold": rows,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.face_check", description="Train the check of faces.")
    for name, variable in (("fairface", "FAIRFACE_DIR"), ("utkface", "UTKFACE_DIR")):
        default = os.environ.get(variable)
        parser.add_argument(
            f"--{name}", type=Path, default=default and Path(default), required=not default, metavar="DIR"
        )
    parser.add_argument("--others", type=Path, required=True, metavar="DIR", help="pictures without a person")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "samples.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            samples = Samples(*(arrays[name] for name in Samples._fields))
    else:
        samples = collect(args)
        np.savez(kept, **samples._asdict())
    print(f"{(samples.labels == 1).sum()} people, {(samples.labels == 0).sum()} others", flush=True)
    network = symmetric(train_content(samples, args.epochs))
    content = network.predict(samples.crops, batch_size=256, verbose=0)
    values = np.column_stack([content, samples.measures])
    joined = (samples.parts == JOINED) & cut_off(samples)
    weights, bias = fit_logistic(values[joined], samples.labels[joined])
    scores = 1 / (1 + np.exp(-(values @ weights + bias)))
    result = report(samples, scores, samples.parts == LAST)
    print(json.dumps(result, indent=1), flush=True)
    measures = keras.Input(samples.measures.shape[1:], name="measures")
    joint = keras.layers.Dense(1, activation="sigmoid", name="joint")
    prediction = joint(keras.layers.Concatenate()([network(network.inputs[0]), measures]))
    joint.set_weights([weights[:, None].astype(np.float32), np.array([bias], np.float32)])
    keras.Model([network.inputs[0], measures], prediction, name="face_check").save(args.out / "model.keras")
    (args.out / "report.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
