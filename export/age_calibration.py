"""Correct and calibrate the ages that an exported network tells, so that the shown range is right for the young and the old.

A network that is unsure takes every age to be nearer to the common ones: the old are judged too young and the ranges hold
too few of them. Here each year's logarithm of probability gets a weight, which takes a part of the prior out again (Menon et
al. 2021, "Long-tail learning via logit adjustment", arXiv:2007.07314), and is multiplied by a sharpness, which depends on
the age that is expected. Both are found on validation faces, as they are and disturbed, and become the last nodes of the
graph: what reads its outputs need not know of it. The metadata hold them as `age_calibration`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.onnx_graph import metadata_of
from inference.types import AGE_COVERAGE, AGES, central_age
from training.age_gender.data import AGE_GROUPS, SOURCES, Portraits
from training.age_gender.evaluate import ages_of_labels, covered

KNOTS = (1, 6, 14, 24, 34, 44, 54, 64, 78)
"""Years between which weights and sharpness run straight; beyond the ends they stay."""

KNOWN_BIAS = 3.0
"""Years by which an undisturbed age group may be judged too young or too old before it counts in `fit`."""
COVERAGE_UNIT = 0.04
"""The part that the range holds may be off by so much for as much as a year of bias."""
FEW = 40
"""An age group of so few faces counts half as much as one of very many."""
ERROR_WEIGHT = 30.0
"""The weight of a year of mean absolute error beside an age group's square of a year of bias."""
UNDISTURBED_WEIGHT = 20.0
"""The weight of the faces as they are beside the same under one disturbance."""
PRIOR = 3000.0
"""The square of a difference between neighbouring values costs so much, divided by the number of faces, so that few faces
change little."""
STEPS = (0.5, 0.25, 0.12)
"""The steps by which `fit` changes weights and sharpness, one size after another."""

RAW, PREFIX = "uncalibrated_age_distribution", "calibration/"
"""The names of what is calibrated in a graph, and of the nodes that calibrate it."""


@dataclass(frozen=True)
class AgeCalibration:
    """What is done to the logarithms of age distributions, by default nothing.

    Attributes:
        weights: added for each of KNOTS, in nats.
        sharpness: logarithm of the factor that they are multiplied by, for each of KNOTS.
    """

    weights: tuple[float, ...] = (0.0,) * len(KNOTS)
    sharpness: tuple[float, ...] = (0.0,) * len(KNOTS)

    @property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 (AGES,): the weight and the factor of each year."""
        years = np.arange(AGES)
        weights, sharpness = np.interp(years, KNOTS, self.weights), np.interp(years, KNOTS, self.sharpness)
        return weights.astype(np.float32), np.exp(sharpness).astype(np.float32)

    def to_metadata(self) -> str:
        return json.dumps({"knots": KNOTS, **asdict(self)})


def from_metadata(text: str) -> AgeCalibration:
    values = json.loads(text)
    return AgeCalibration(tuple(values["weights"]), tuple(values["sharpness"]))


def calibrated(distribution: np.ndarray, calibration: AgeCalibration) -> np.ndarray:
    """Age distributions (N, AGES) as the nodes of `append` change them."""
    weights, factors = calibration.tables
    logits = (distribution @ factors)[:, None] * np.log(np.maximum(distribution, 1e-9)) + weights
    values = np.exp(logits - logits.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


class Answered(NamedTuple):
    """What was answered to some faces.

    Attributes:
        distribution: (N, AGES), of their ages.
        faces: (N).
        disturbed: whether their pictures were; then it is no matter of calibration if they are all judged too old.
    """

    distribution: np.ndarray
    faces: Portraits
    disturbed: bool = False


def fit(views: Sequence[Answered]) -> AgeCalibration:
    """The calibration with which every age group of each data set is judged least wrong, and its range holds AGE_COVERAGE.

    Coordinates are moved one after another by ever smaller STEPS, as long as that helps.

    Args:
        views: what the network says of the validation faces, as they are and disturbed.
    """
    measured = _Measured(views)
    values = np.zeros(2 * len(KNOTS))
    least = measured.loss(values)
    for step in STEPS:
        helps = True
        while helps:
            before = least
            for index in range(len(values)):
                for change in (step, -step):
                    tried = values.copy()
                    tried[index] += change
                    loss = measured.loss(tried)
                    if loss < least:
                        values, least = tried, loss
                        break
            helps = least < 0.98 * before
    return _calibration(values)


def _calibration(values: np.ndarray) -> AgeCalibration:
    rounded = [round(float(value), 4) for value in values]
    return AgeCalibration(tuple(rounded[: len(KNOTS)]), tuple(rounded[len(KNOTS) :]))


class _Measured:
    """All views one behind the other, and the cell (view, data set, age group) of each face."""

    def __init__(self, views: Sequence[Answered]):
        unseen = [replace(view.faces, images=np.zeros((len(view.faces), 0), np.uint8)) for view in views]
        joined = {
            each.name: np.concatenate([getattr(faces, each.name) for faces in unseen]) for each in fields(Portraits)
        }
        self.faces = Portraits(**joined)
        self.distribution = np.concatenate([view.distribution for view in views])
        view = np.repeat(np.arange(len(views)), list(map(len, unseen)))
        cells = (view * len(SOURCES) + self.faces.sources) * len(AGE_GROUPS) + self.faces.age_groups
        _, self.cell, self.count = np.unique(cells, return_inverse=True, return_counts=True)
        weights = np.array([1.0 if view.disturbed else UNDISTURBED_WEIGHT for view in views])
        weights /= weights.sum()
        self.of_face = (weights / np.bincount(view, minlength=len(views)))[view]
        self.of_cell = np.bincount(self.cell, weights[view]) / (self.count + FEW)
        undisturbed = np.array([not each.disturbed for each in views])
        self.bias_counts = np.bincount(self.cell, undisturbed[view]) > 0

    def loss(self, values: np.ndarray) -> float:
        prediction = calibrated(self.distribution, _calibration(values))
        difference = central_age(prediction) - ages_of_labels(self.faces)
        bias, held = (
            np.bincount(self.cell, each) / self.count for each in (difference, covered(prediction, self.faces))
        )
        squares = (
            self.bias_counts * np.maximum(np.abs(bias) - KNOWN_BIAS, 0) ** 2
            + ((held - AGE_COVERAGE) / COVERAGE_UNIT) ** 2
        )
        roughness = (np.diff(values.reshape(2, -1)) ** 2).sum() + values[len(KNOTS) :].mean() ** 2
        prior = PRIOR / len(self.faces) * roughness
        return float(ERROR_WEIGHT * self.of_face @ np.abs(difference) + self.of_cell @ squares + prior)


def append(graph: onnx.ModelProto, calibration: AgeCalibration) -> None:
    """Make an exported graph calibrate `age_distribution`, and take `age` from that; an earlier calibration goes.

    The metadata say which it is.
    """
    nodes = graph.graph.node
    if not any(RAW in node.output for node in nodes):
        for node in nodes:
            for names in (node.input, node.output):
                names[:] = [RAW if name == "age_distribution" else name for name in names]
    kept = [node for node in nodes if not node.name.startswith(PREFIX) and "age" not in node.output]
    wanted = {RAW, "gender"}
    needed = []
    for node in reversed(kept):  # they stand in the order of their work
        if wanted & set(node.output):
            needed.append(node)
            wanted |= set(node.input)
    weights, factors = calibration.tables
    constants = {
        "least": np.float32(1e-9),
        "factors": factors[:, None],
        "weights": weights[None],
        "axis": np.array(1, np.int64),
        "axes": np.array([1], np.int64),
        "half": np.float32(0.5),
        "zero": np.float32(0),
        "one": np.float32(1),
    }
    steps = (
        ("Max", (RAW, "least"), "bounded"),
        ("Log", ("bounded",), "logarithm"),
        ("MatMul", (RAW, "factors"), "sharpness"),
        ("Mul", ("logarithm", "sharpness"), "sharpened"),
        ("Add", ("sharpened", "weights"), "logits"),
        ("Softmax", ("logits",), "age_distribution"),
        # The median: inference.types.central_age.
        ("CumSum", ("age_distribution", "axis"), "below"),
        ("Sub", ("below", "age_distribution"), "before"),
        ("Sub", ("half", "before"), "missing"),
        ("Max", ("age_distribution", "least"), "width"),
        ("Div", ("missing", "width"), "share"),
        ("Clip", ("share", "zero", "one"), "part"),
        ("ReduceSum", ("part", "axes"), "years"),
        ("Sub", ("years", "half"), "median"),
        ("Max", ("median", "zero"), "age"),
    )
    outside = {RAW, "age", "age_distribution"}

    def name(text: str) -> str:
        return text if text in outside else PREFIX + text

    options = {"Softmax": {"axis": 1}, "ReduceSum": {"keepdims": 0}}
    added = [
        helper.make_node(
            kind, [name(each) for each in inputs], [name(output)], PREFIX + output, **options.get(kind, {})
        )
        for kind, inputs, output in steps
    ]
    tensors = [tensor for tensor in graph.graph.initializer if tensor.name in wanted]
    tensors += [numpy_helper.from_array(np.asarray(value), PREFIX + key) for key, value in constants.items()]
    for field, values in ((nodes, needed[::-1] + added), (graph.graph.initializer, tensors)):
        values = list(values)
        del field[:]
        field.extend(values)
    outputs = {output.name: output for output in graph.graph.output}
    shapes = {"age": ["N"], "age_distribution": ["N", AGES]}
    for key, shape in shapes.items():
        outputs[key].CopyFrom(helper.make_tensor_value_info(key, TensorProto.FLOAT, shape))
    helper.set_model_props(graph, metadata_of(graph) | {"age_calibration": calibration.to_metadata()})
    onnx.checker.check_model(graph, full_check=True)
