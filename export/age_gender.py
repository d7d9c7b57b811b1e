"""Export trained age and gender networks to the one ONNX file that is served.

    python -m export.age_gender MODEL.keras [MODEL.keras ...] models/age_gender.onnx --fairface DIR --utkface DIR

With `--mean` one network is made of several that began with the same: its weights are the mean of theirs, which keeps most
of what each does well (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903). Of a
checkpoint.keras the running average of the weights is taken.

The graph answers with the mean of all networks over a face and its mirror image, or over other views of it: `--tta
48,52m 64` shows the first network the face at 48 pixels and its mirror image at 52, the second the face at 64.
`python -m benchmarks.age_gender_tta` helps to choose them. The gender's temperature is fitted on the validation faces of
the data sets that the networks were trained on by the cross-entropy, and the ages are calibrated on these faces, as they
are and as old photographs show them (`export.age_calibration`), in the file as it is served. Where the file would be larger
than LARGEST_FILE, the convolutions' weights are rounded to float16 before all that. With `--int8` the network is compared
as it is and then quantized to 8-bit integers, which take two thirds of the time (`export.quantize`). The file is compared with Keras on real faces and measured
on the test faces, and the figures go into its metadata and into a file beside it: age_gender.onnx and
age_gender_metrics.json, say. Nothing is written where the comparison fails, or where the integers cost more than half a
point of accuracy on the validation faces.

    python -m export.age_gender --again models/age_gender.onnx --fairface DIR --utkface DIR

measures a file that was exported before once more, where what is measured has changed; with `--calibrate` its ages are
calibrated anew before that.
"""

import argparse
import datetime
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import onnx
from google.protobuf.message import DecodeError

from export.age_calibration import AgeCalibration, Answered, append, calibrated, fit
from export.onnx_graph import convert, fold_batch_norm, metadata_of, publish
from export.parity import VerificationError, verify
from export.quantize import LARGEST_LOSS, quantize
from inference.model_files import ModelError
from inference.types import AGE_COVERAGE, AGES, GENDERS
from training.age_gender.data import SIZE, SOURCES, Portraits, add_demographics_arguments, load_portraits
from training.age_gender.evaluate import album_views, bands, measure, predictor, score
from training.age_gender.model import at_input_size, input_size_of
from training.datasets import DataError
from training.metrics import Predictor, fit_temperature
from training.run import read_settings

TERMS = {
    "FairFace": "FairFace: CC BY 4.0",
    "UTKFace": "UTKFace: for non-commercial research",
    "faceres": "weights that it began with: Apache License 2.0, trained on VGGFace2 and IMDB-WIKI, which are for research",
}
"""The terms of each data set, and of the weights that a mobilenet begins with, as the metadata say them."""

CONTRACT = {"labels": json.dumps(GENDERS), "bins": str(AGES), "input_size": str(SIZE), "channels": "3"}
"""The part of the metadata that `inference.age_gender` reads."""

EXACT_CONVOLUTIONS = 2
"""So many convolutions stay in float32 with --int8: in integers they were less accurate on the validation faces and no faster. Those
of a mobilenet do not: what runtimes sum in another order there told ages that were half a year apart."""

LARGEST_FILE = 10_000_000
"""In bytes: a Space's repository takes larger files only into a storage of its own."""

VERIFIED = 1000
"""The file is compared with Keras on so many validation faces."""

SMALLEST_INPUT, LARGEST_INPUT = 16, 2 * SIZE
"""The side in pixels of which four poolings leave one pixel, and that beyond which enlarged faces show nothing more."""


class TTAView(NamedTuple):
    """One view of test-time augmentation: the face, or its mirror image, scaled to `input_size` pixels."""

    input_size: int
    mirrored: bool = False

    def __str__(self) -> str:
        return f"{self.input_size}{'m' * self.mirrored}"


def parse_tta(text: str) -> list[TTAView]:
    """The views that a text like "48,52m" names: pixels, and an m for the mirror image.

    Raises:
        argparse.ArgumentTypeError: it is not of that form.
    """
    matches = [re.fullmatch(r"(\d+)(m?)", part) for part in text.split(",")]
    if not all(match and SMALLEST_INPUT <= int(match[1]) <= LARGEST_INPUT for match in matches):
        raise argparse.ArgumentTypeError(
            f"{text!r} does not name views like 48,52m: pixels from {SMALLEST_INPUT} to {LARGEST_INPUT}, and m for the mirror image."
        )
    return [TTAView(int(match[1]), bool(match[2])) for match in matches]


def averaged(path: Path) -> keras.Model:
    """A trained network in float32, of a checkpoint with the running average of its weights."""
    trained = keras.models.load_model(path)
    if getattr(trained, "optimizer", None) is not None:
        trained.optimizer.finalize_variable_values(trained.trainable_variables)
    # A checkpoint of a run in bfloat16 computes in that.
    network = keras.models.model_from_json(trained.to_json().replace('"mixed_bfloat16"', '"float32"'))
    network.set_weights(trained.get_weights())
    return network


def mean_of(networks: list[keras.Model]) -> keras.Model:
    """The first network with the mean of the weights of all.

    Raises:
        ValueError: they have other layers.
    """
    weights = [network.get_weights() for network in networks]
    if any([each.shape for each in other] != [each.shape for each in weights[0]] for other in weights):
        raise ValueError("--mean: the networks have other layers; there is no mean of them.")
    networks[0].set_weights([np.mean(each, axis=0) for each in zip(*weights)])
    return networks[0]


def _is_mobilenet(network: keras.Model) -> bool:
    return any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in network.layers)


def both_sides(network: keras.Model) -> list[TTAView]:
    """The face and its mirror image, in the size that the network was trained at."""
    input_size = input_size_of(network)
    return [TTAView(input_size), TTAView(input_size, mirrored=True)]


def serving_network(
    networks: list[keras.Model],
    temperature: float = 1.0,
    gender_temperature: float = 1.0,
    tta: list[list[TTAView]] | None = None,
    half: bool = False,
) -> keras.Model:
    """One network out of trained ones, as it is served.

    Args:
        networks: built by `training.age_gender.model`.
        temperature, gender_temperature: by which the logarithms of the probabilities are divided.
        tta: the views of each network; default: `both_sides`.
        half: round the convolutions' weights to float16, for `store_halves`.

    Returns:
        float32 (N, SIZE, SIZE, 3) to a dict: `age_distribution` (N, AGES) and `gender` (N, 2), means over all views of all
        networks, calibrated; `age` (N,), which is `inference.types.central_age` of the distribution.
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    mirrored = image[:, :, ::-1]
    tta = tta or [both_sides(network) for network in networks]
    predictions = []
    for network, shown in zip(networks, tta, strict=True):
        for input_size in dict.fromkeys(view.input_size for view in shown):
            folded = fold_batch_norm(at_input_size(network, input_size))
            if half:
                folded.set_weights(
                    [_rounded(weight) if weight.ndim == 4 else weight for weight in folded.get_weights()]
                )
            unnamed = keras.Model(folded.inputs, folded.output)  # they share a name
            # All views of one size in one batch, which takes less time than one after another.
            faces = [mirrored if view.mirrored else image for view in shown if view.input_size == input_size]
            prediction = unnamed(keras.ops.concatenate(faces) if len(faces) > 1 else faces[0])
            predictions.append({name: _sum_of_parts(values, len(faces)) for name, values in prediction.items()})

    def calibrated(name: str, divisor: float):
        mean = sum((prediction[name] for prediction in predictions[1:]), predictions[0][name]) / sum(map(len, tta))
        return keras.layers.Softmax()(keras.ops.log(keras.ops.maximum(mean, 1e-9)) / divisor)

    distribution = calibrated("age_distribution", temperature)
    before = keras.ops.cumsum(distribution, axis=-1) - distribution
    part = keras.ops.clip((0.5 - before) / keras.ops.maximum(distribution, 1e-9), 0.0, 1.0)
    age = keras.ops.maximum(keras.ops.sum(part, axis=-1) - 0.5, 0.0)
    gender = calibrated("gender", gender_temperature)
    return keras.Model(image, {"age": age, "age_distribution": distribution, "gender": gender})


def _sum_of_parts(values, parts: int):
    """The sum of the parts (N, K) of a batch (parts * N, K)."""
    return keras.ops.sum(keras.ops.reshape(values, (parts, -1, values.shape[-1])), axis=0) if parts > 1 else values


def _rounded(weight: np.ndarray) -> np.ndarray:
    return weight.astype(np.float16).astype(np.float32)


def store_halves(graph: onnx.ModelProto) -> None:
    """Store the convolutions' weights in half the bytes where float16 holds them exactly (see `serving_network`).

    A Cast makes them float32 again. ONNX Runtime does that once, when it loads the file.
    """
    casts = []
    for tensor in graph.graph.initializer:
        weight = onnx.numpy_helper.to_array(tensor)
        if weight.dtype == np.float32 and weight.ndim == 4 and np.array_equal(weight, _rounded(weight)):
            name = f"{tensor.name}_half"
            casts.append(onnx.helper.make_node("Cast", [name], [tensor.name], name, to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight.astype(np.float16), name))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.checker.check_model(graph, full_check=True)


def calibrate(graph: onnx.ModelProto, candidate: Path, validation: Portraits) -> dict:
    """Append the calibration of the ages to an exported graph.

    Args:
        graph: it gets the calibration.
        candidate: the file in which the graph is written.
        validation: the faces on which it is fitted, as they are and under each of ALBUM.

    Returns:
        `bands` of these faces, as the calibrated graph answers.
    """
    append(graph, AgeCalibration())
    onnx.save(graph, candidate)
    views = album_views(predictor(candidate), validation)
    calibration = fit(
        [Answered(view.predictions["age_distribution"], view.faces, view.name != "undisturbed") for view in views]
    )
    append(graph, calibration)
    onnx.save(graph, candidate)
    for view in views:
        view.predictions["age_distribution"] = calibrated(view.predictions["age_distribution"], calibration)
    return bands(views)


def accuracy(predict: Predictor, faces: Portraits) -> float:
    """The mean of the parts whose gender and whose age group is right."""
    figures = score(predict(faces.images), faces)
    return (figures["gender"] + figures["exact_group"]) / 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.age_gender", description="Export a network to ONNX.")
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.keras")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument(
        "--tta",
        nargs="+",
        type=parse_tta,
        help="the views of each network in turn, like 48,52m, for test-time augmentation (default: the face and its mirror image in the size of the training)",
    )
    parser.add_argument(
        "--int8", action="store_true", help="in 8-bit integers: faster, smaller, a little less accurate"
    )
    parser.add_argument("--mean", action="store_true", help="one network, whose weights are the mean of those named")
    parser.add_argument("--again", action="store_true", help="measure OUT.onnx, which was exported before, once more")
    parser.add_argument("--calibrate", action="store_true", help="with --again: calibrate its ages anew first")
    add_demographics_arguments(parser)
    args = parser.parse_args()
    if args.again == bool(args.models):
        parser.error("name the networks, or with --again the exported file alone")
    if args.calibrate and not args.again:
        parser.error("--calibrate is for --again: what is exported is calibrated anyway")
    count = 1 if args.mean else len(args.models)
    if args.tta and len(args.tta) != count:
        parser.error(f"--tta names the views of {len(args.tta)} networks, and there are {count}")
    try:
        settings = [read_settings(model.parent) for model in args.models]
        portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
        if args.again:
            measure_again(args.out, portraits, args.calibrate)
            return 0
        networks = [averaged(model) for model in args.models]
        if args.mean:
            networks = [mean_of(networks)]
    except (DataError, ModelError, DecodeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    data = [name for name in SOURCES if any(name in each["data"] for each in settings)]
    training, validation = (_of(portraits.part(part), data) for part in ("training", "validation"))
    if not len(validation):
        print(f"error: there are no validation faces of {' and '.join(data)}.", file=sys.stderr)
        return 1
    tta = args.tta or [both_sides(network) for network in networks]
    parameters = sum(network.count_params() for network in networks)
    half = not args.int8 and parameters * 4 > LARGEST_FILE
    predictions = serving_network(networks, tta=tta, half=half).predict(validation.images, batch_size=256, verbose=0)
    gender_temperature = fit_temperature(predictions["gender"], validation.genders)
    serving = serving_network(networks, gender_temperature=gender_temperature, tta=tta, half=half)
    metadata = {
        **CONTRACT,
        "gender_temperature": f"{gender_temperature:.4f}",
        "coverage": str(AGE_COVERAGE),
        "dataset": " and ".join(data),
        "terms": "; ".join(TERMS[name] for name in (*data, *["faceres"] * any(map(_is_mobilenet, networks)))),
        "runs": (" and " if args.mean else " + ").join(model.parent.name for model in args.models),
        "views": " + ".join(",".join(map(str, shown)) for shown in tta),
        "weights": "int8" if args.int8 else "float16" if half else "float32",
        "parameters": str(parameters),
        "version": datetime.date.today().isoformat(),
    }
    graph = convert(serving, metadata)
    if half:
        store_halves(graph)
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "candidate.onnx"
        onnx.save(graph, candidate)
        try:
            print(verify(serving, candidate, validation.images[:VERIFIED]))
        except VerificationError as error:
            print(f"error: not exported: {error}", file=sys.stderr)
            return 1
        if args.int8:
            exact, candidate = candidate, Path(folder) / "int8.onnx"
            integers_from = 0 if any(map(_is_mobilenet, networks)) else EXACT_CONVOLUTIONS
            quantize(exact, candidate, training.images, integers_from, correct=True)
            before, after = (accuracy(predictor(path), validation) for path in (exact, candidate))
            print(f"Validation accuracy {before:.2%} in floating-point numbers, {after:.2%} in 8-bit integers")
            if before - after > LARGEST_LOSS:
                print("error: not exported: the integers cost too much accuracy.", file=sys.stderr)
                return 1
            graph = onnx.load(candidate)
            onnx.helper.set_model_props(graph, metadata)
        found = calibrate(graph, candidate, validation)
        measured = measure(predictor(candidate), portraits) | {"bands": found}
    command = "python -m export.age_gender" + " --mean" * args.mean + " --int8" * args.int8
    publish(graph, args.out, command, measured)
    print_figures(args.out, measured)
    return 0


def measure_again(file: Path, portraits: Portraits, anew: bool) -> None:
    """Measure an exported file once more, and write it and its report.

    Args:
        file: the exported file.
        portraits: the faces.
        anew: calibrate its ages anew first.
    """
    graph, predict = onnx.load(file), predictor(file)
    names = metadata_of(graph).get("dataset", "")
    validation = _of(portraits.part("validation"), [name for name in SOURCES if name in names])
    if anew:
        with tempfile.TemporaryDirectory() as folder:
            candidate = Path(folder) / "candidate.onnx"
            found, predict = calibrate(graph, candidate, validation), predictor(candidate)
    else:
        found = bands(album_views(predict, validation))
    measured = measure(predict, portraits) | {"bands": found}
    publish(graph, file, "python -m export.age_gender --again" + " --calibrate" * anew, measured)
    print_figures(file, measured)


def print_figures(file: Path, measured: dict) -> None:
    """Say how large an exported file is and how good."""
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    for source, figures in measured["metrics"].items():
        print(f"{source}: " + ", ".join(f"{name} {value}" for name, value in figures["all"].items()))


def _of(portraits: Portraits, sources: list[str]) -> Portraits:
    """The faces of some data sets."""
    return portraits.select(np.isin(portraits.sources, [SOURCES.index(name) for name in sources]))


if __name__ == "__main__":
    sys.exit(main())
