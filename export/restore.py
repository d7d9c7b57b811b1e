"""Make a trainable network of an exported one for age and gender, to train on from it or to learn from it.

    python -m export.restore models/age_gender.onnx runs/released/model.keras --fairface DIR --utkface DIR
    python -m training.age_gender --recipe both-wide-64-further --start runs/released/model.keras --out runs/further

An exported file has its batch norms folded into the convolutions. Here they get back the means and variances that they see
on training faces, and the network answers as the file does, or, where the file computes in 8-bit integers, as its rounded
weights do. How far the two lie apart on validation faces is printed. The network's run.json beside it names the file.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError

from export.age_calibration import calibrated, from_metadata
from export.age_gender import TTAView, parse_tta, serving_network
from export.onnx_graph import metadata_of
from inference.types import central_age
from training.age_gender.data import SIZE, SOURCES, add_demographics_arguments, load_portraits
from training.age_gender.evaluate import predictor
from training.age_gender.model import age_gender_cnn, age_gender_mobilenet
from training.datasets import DataError
from training.mobilenet import unfold
from training.run import replace_file

FACES = 2048
"""The means and variances of the batch norms are taken from so many training faces."""
HEADS = ("age_parameters", "gender_logits")
"""The names of the last layers."""


class RestoreError(ValueError):
    """The file holds no network that can be trained here; the message says why."""


def restore(graph: onnx.ModelProto, faces: np.ndarray) -> keras.Model:
    """A network of `training.age_gender` that answers as the one in an exported graph.

    A batch norm divides each channel by its deviation, so the next layer takes that much more from it.

    Args:
        graph: exported by `export.age_gender` from one network.
        faces: uint8 (N, SIZE, SIZE, 3), on which the batch norms find their means and variances.

    Raises:
        RestoreError: the graph is not of that kind.
    """
    if any(
        attribute.name == "group" and attribute.i > 1 for node in _convolutions(graph) for attribute in node.attribute
    ):
        return _restore_mobilenet(graph, faces)
    network = age_gender_cnn(tta_of(graph)[0].input_size, stages_of(graph))
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    heads = [network.get_layer(name) for name in HEADS]
    stored = stored_weights(graph)
    shapes = [kernel.shape for kernel, _ in stored]
    if shapes != [tuple(layer.kernel.shape) for layer in convolutions + heads]:
        raise RestoreError(f"its layers are not those of a network of training.age_gender: {shapes}.")
    norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    deviation = np.ones(1)
    for layer, norm, (kernel, bias) in zip(convolutions, norms, stored):
        layer.set_weights([kernel * deviation[:, None]])
        before = keras.Model(network.input, norm.input)
        parts = [before(faces[start : start + 256], training=False) for start in range(0, len(faces), 256)]
        seen = np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
        mean, variance = seen.mean(axis=(0, 1, 2), dtype=float), seen.var(axis=(0, 1, 2), dtype=float)
        deviation = np.sqrt(variance + norm.epsilon)
        norm.set_weights([(bias + mean) / deviation, mean, variance])
    for layer, (kernel, bias) in zip(heads, stored[-len(HEADS) :]):
        layer.set_weights([kernel * deviation[:, None], bias])
    return network


def _restore_mobilenet(graph: onnx.ModelProto, faces: np.ndarray) -> keras.Model:
    network = age_gender_mobilenet(tta_of(graph)[0].input_size)
    stored = stored_weights(graph)
    folded = [
        (kernel.swapaxes(2, 3) if kernel.shape[2] == 1 else kernel, bias) for kernel, bias in stored[: -len(HEADS)]
    ]
    try:
        unfold(network, folded, faces)
        for name, weights in zip(HEADS, stored[-len(HEADS) :]):
            network.get_layer(name).set_weights(weights)
    except ValueError as error:
        raise RestoreError(f"its layers are not those of a mobilenet of training.age_gender: {error}.") from None
    return network


def tta_of(graph: onnx.ModelProto) -> list[TTAView]:
    """The test-time augmentation of an exported network.

    Raises:
        RestoreError: the graph is not of one such network.
    """
    metadata = metadata_of(graph)
    if "+" in metadata.get("runs", ""):
        raise RestoreError(f"it is the mean of several networks ({metadata['runs']}), and one is needed.")
    if "views" not in metadata:
        raise RestoreError(
            "it does not say what `views` of a face its network takes, as `export.age_gender` writes it."
        )
    return parse_tta(metadata["views"])


def stages_of(graph: onnx.ModelProto) -> tuple[tuple[int, ...], ...]:
    """The widths of the convolutions, as `training.layers.convolutions` takes them: a stage ends where a max pooling follows."""
    shapes = {tensor.name: tensor.dims for tensor in graph.graph.initializer}
    users = {name: node for node in graph.graph.node for name in node.input}
    makers = {name: node for node in graph.graph.node for name in node.output}
    stages: list[list[int]] = [[]]
    for node in _convolutions(graph):
        kernel, after = node.input[1], users[node.output[0]]
        while kernel not in shapes:
            kernel = makers[kernel].input[0]  # of a Cast or DequantizeLinear
        stages[-1].append(shapes[kernel][0])
        while after.op_type in ("QuantizeLinear", "DequantizeLinear"):
            after = users[after.output[0]]
        if after.op_type == "MaxPool":
            stages.append([])
    return tuple(map(tuple, stages))


def _convolutions(graph: onnx.ModelProto) -> list[onnx.NodeProto]:
    """One for each kernel: a network that is shown faces in two sizes uses each twice."""
    return list({node.input[1]: node for node in reversed(graph.graph.node) if node.op_type == "Conv"}.values())[::-1]


def stored_weights(graph: onnx.ModelProto) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels (3, 3, C, D) and biases (D,) of the convolutions in their order, then of HEADS (C, D), all float32.

    ONNX Runtime computes those that are stored as integers or float16.
    """
    nodes = graph.graph.node
    names = [tuple(node.input[1:3]) for node in _convolutions(graph)]
    for head in HEADS:
        product = next((n for n in nodes if n.op_type in ("MatMul", "Gemm") and f"/{head}" in n.input[1]), None)
        if product is None:
            raise RestoreError(f"it has no layer named {head}.")
        added = product if product.op_type == "Gemm" else next(n for n in nodes if product.output[0] in n.input)
        (bias,) = set(added.input) - {*product.input[:2], *product.output}
        names.append((product.input[1], bias))
    probe = onnx.ModelProto()
    probe.CopyFrom(graph)
    del probe.graph.output[:]
    flat = [name for pair in names for name in pair]
    probe.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in flat)
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(flat, {"image": np.zeros((1, SIZE, SIZE, 3), np.float32)})
    return [
        (kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel, bias)
        for kernel, bias in zip(values[::2], values[1::2])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.restore", description="A trainable network from an ONNX file."
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("out", type=Path, metavar="OUT.keras")
    add_demographics_arguments(parser)
    args = parser.parse_args()
    try:
        graph = onnx.load(args.model)
        metadata = metadata_of(graph)
        portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
        known = [name for name in SOURCES if name in metadata.get("dataset", "")]
        portraits = portraits.select(np.isin(portraits.sources, [SOURCES.index(name) for name in known]))
        training, validation = portraits.part("training"), portraits.part("validation")
        if not len(training):
            raise RestoreError(f"its batch norms need training faces of {metadata.get('dataset')}.")
        chosen = np.random.default_rng(0).permutation(len(training))[:FACES]
        network = restore(graph, training.images[chosen])
    except (RestoreError, OSError, DecodeError) as error:
        print(f"error: {args.model}: {error}", file=sys.stderr)
        return 1
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # Files of before `export.age_calibration` have a temperature for the ages instead.
    temperatures = float(metadata.get("temperature", 1)), float(metadata["gender_temperature"])
    again = serving_network([network], *temperatures, [tta_of(graph)])
    wanted, got = predictor(args.model)(validation.images), again.predict(validation.images, verbose=0)
    if "age_calibration" in metadata:
        calibration = from_metadata(metadata["age_calibration"])
        got["age_distribution"] = calibrated(got["age_distribution"], calibration)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(args.out, network.save)
    digest = hashlib.sha256(args.model.read_bytes()).hexdigest()
    settings = {"restored": args.model.name, "sha256": digest, "data": known}
    replace_file(args.out.with_name("run.json"), lambda path: path.write_text(json.dumps(settings, indent=2) + "\n"))
    years = np.abs(central_age(got["age_distribution"]) - central_age(wanted["age_distribution"])).mean()
    parts = np.abs(got["gender"] - wanted["gender"]).mean()
    print(
        f"{args.out}: on {len(validation):,} validation faces {years:.3f} years and {parts:.4f} of a gender from {args.model}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
