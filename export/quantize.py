"""Quantize an exported emotion network to 8-bit integers: smaller and faster on a CPU, a little less accurate.

    python -m export.quantize models/emotion.onnx models/emotion_int8.onnx --data DIR

Static quantization by ONNX Runtime (QDQ, weights per channel), calibrated on Training faces. Nothing is written where more than
0.4 points of accuracy are lost on PublicTest. The figures go into the file's metadata and into a report beside it.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.onnx_graph import metadata_of, publish
from training.datasets import DataError
from training.emotion.data import add_data_arguments, load_fer2013
from training.emotion.evaluate import evaluate, measure, without_confusion

CALIBRATION_FACES = 512
"""So many training faces tell the ranges of the activations."""
CORRECTION_FACES = 256
"""So many others tell by how much the biases are corrected."""
BATCH = 64
"""The number of faces of one run while these are told."""
LARGEST_LOSS = 0.004
"""The part of the faces, 0 to 1, that the integers may cost at most."""


class CalibrationFaces(CalibrationDataReader):
    """Batches of training faces, drawn with a fixed seed, from which the ranges of the activations are taken.

    Args:
        images: uint8 (N, S, S, C), as the network takes them.
        seed: of which they are drawn.
        count: of them, at most.
    """

    def __init__(self, images: np.ndarray, seed: int = 0, count: int = CALIBRATION_FACES):
        chosen = np.random.default_rng(seed).choice(len(images), min(count, len(images)), replace=False)
        images = images[chosen].astype(np.float32)
        self._batches = iter([{"image": images[start : start + BATCH]} for start in range(0, len(images), BATCH)])

    def get_next(self) -> dict | None:
        return next(self._batches, None)


def heads(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes after the last ReLU, or convolution's ReLU6, on every path.

    They stay in float32: in 256 steps the probabilities would not sum to one.
    """
    convolved = {name for node in model.graph.node if node.op_type == "Conv" for name in node.output}
    needed: set[str] = set()
    after = []
    for node in reversed(model.graph.node):  # in topological order, so that a node stands before those that use it
        activation = node.op_type == "Relu" or node.op_type == "Clip" and node.input[0] in convolved
        if activation or needed & set(node.output):
            needed |= set(node.input)
        else:
            after.append(node.name)
    return after


def before_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that no convolution leads to, as those that resize the faces."""
    led_to: set[str] = set()
    before = []
    for node in model.graph.node:
        if node.op_type == "Conv" or led_to & set(node.input):
            led_to |= set(node.output)
        else:
            before.append(node.name)
    return before


def correct_biases(model: onnx.ModelProto, exact: onnx.ModelProto, training: np.ndarray) -> None:
    """Shift the bias of each convolution in integers so that its outputs have the means that they have in floating-point numbers.

    What is rounded in a weight is rounded alike at every place of every face, so that a channel is too high or too low throughout,
    and what follows too: Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction"
    (arXiv:1906.04721), here on faces.

    Args:
        model: by quantize_static; changed in place.
        exact: what it was made of.
        training: uint8 (N, S, S, C), of which some are used.
    """
    made_by = {name: node for node in exact.graph.node for name in node.output}
    dequantized = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def before_activation(name: str) -> str:
        """What a convolution gives, of what is there under the name of its range."""
        node = made_by[name]
        return name if node.op_type == "Conv" else before_activation(node.input[0])

    corrected = [
        node
        for node in model.graph.node
        if node.op_type == "Conv" and len(node.input) > 2 and node.input[2] in dequantized
    ]
    wanted = _channel_means(exact, [before_activation(node.output[0]) for node in corrected], training)
    for node, means in zip(corrected, wanted):  # each on what those before it give, corrected already
        (rounded,) = _channel_means(model, [node.output[0]], training)
        bias, scale = (tensors[name] for name in dequantized[node.input[2]].input[:2])
        steps = np.round((means - rounded) / numpy_helper.to_array(scale))
        shifted = numpy_helper.to_array(bias) + steps.astype(np.int32)
        bias.CopyFrom(numpy_helper.from_array(shifted, bias.name))


def _channel_means(model: onnx.ModelProto, names: list[str], training: np.ndarray) -> list[np.ndarray]:
    """The mean over faces, their mirror images where the network sees these too, and places of each channel of some tensors
    (N, C, H, W), each (C,)."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])
    sums, count = [np.zeros(1)] * len(names), 0
    faces = CalibrationFaces(training, seed=1, count=CORRECTION_FACES)
    while batch := faces.get_next():
        count += len(batch["image"])
        outputs = session.run(names, batch)
        sums = [total + values.mean(axis=(0, 2, 3)) * len(batch["image"]) for total, values in zip(sums, outputs)]
    return [total / count for total in sums]


def exact_moments(model: onnx.ModelProto) -> None:
    """Take the mean and the variance by which a face is normalized from sums of whole numbers, which are the same on every processor.

    Sums of floats depend on their order. Values that fall into the next of the 256 steps for that change a probability by up to two
    points, and an age by up to a year.

    Args:
        model: its input `image` has whole values, and may be normalized beside its mirror image; changed in place. A graph that
            normalizes otherwise stays as it is.
    """
    graph = model.graph
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def whole(name: str) -> bool:
        """Whether there are values of `image`, and no others."""
        node = made_by.get(name)
        if node is None:
            return name == "image"
        if node.op_type == "Slice":
            return whole(node.input[0])
        return node.op_type == "Concat" and all(map(whole, node.input))

    def scaled(name: str) -> bool:
        node = made_by.get(name)
        return node is not None and node.op_type == "Mul" and whole(node.input[0]) and node.input[1] in constants

    means = [node for node in graph.node if node.op_type == "ReduceMean" and scaled(node.input[0])]
    if len(means) != 1:
        return
    (mean,) = means
    differences = [
        node.output[0]
        for node in graph.node
        if node.op_type == "Sub" and list(node.input) == [mean.input[0], mean.output[0]]
    ]
    squares = [name for name, node in made_by.items() if node.op_type == "Mul" and list(node.input) == differences * 2]
    variances = [node for node in graph.node if node.op_type == "ReduceMean" and list(node.input) == squares]
    if len(variances) != 1:
        return
    (variance,) = variances
    shape = [axis.dim_value for axis in graph.input[0].type.tensor_type.shape.dim[1:]]
    image, factor = made_by[mean.input[0]].input
    count, scale = math.prod(shape), float(constants[factor])
    values = {
        "moments/axes": np.arange(1, 1 + len(shape)),
        "moments/count": np.array(count),
        "moments/mean_scale": np.float32(scale / count),
        "moments/variance_scale": np.float32((scale / count) ** 2),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in values.items())
    node = onnx.helper.make_node
    added = [
        node("Cast", [image], ["moments/whole"], to=onnx.TensorProto.INT64),
        node("Mul", ["moments/whole", "moments/whole"], ["moments/squares"]),
        node("ReduceSum", ["moments/whole", "moments/axes"], ["moments/sum"]),
        node("ReduceSum", ["moments/squares", "moments/axes"], ["moments/sum_of_squares"]),
        node("Cast", ["moments/sum"], ["moments/float_sum"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["moments/float_sum", "moments/mean_scale"], [mean.output[0]]),
        # n times the sum of squares less the square of the sum is n² times the variance.
        node("Mul", ["moments/sum_of_squares", "moments/count"], ["moments/larger"]),
        node("Mul", ["moments/sum", "moments/sum"], ["moments/smaller"]),
        node("Sub", ["moments/larger", "moments/smaller"], ["moments/difference"]),
        node("Cast", ["moments/difference"], ["moments/float_difference"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["moments/float_difference", "moments/variance_scale"], [variance.output[0]]),
    ]
    dropped = {mean.output[0], variance.output[0], *differences, *squares}
    kept = [node for node in graph.node if not dropped & set(node.output)]
    place = next((number for number, node in enumerate(kept, 1) if image in node.output), 0)
    del graph.node[:]
    graph.node.extend([*kept[:place], *added, *kept[place:]])
    onnx.checker.check_model(model, full_check=True)


def quantize(source: Path, target: Path, training: np.ndarray, exact: int = 0, correct: bool = False) -> None:
    """Write the quantized network, with the metadata of the source.

    Args:
        source, target: .onnx files.
        training: uint8 (N, S, S, C), training faces as the network takes them, of which some are used.
        exact: so many convolutions from the first on stay in float32. With their few channels integers gain them little.
        correct: use `correct_biases`. Networks of depthwise convolutions, whose channels have few weights, lose a third as much then;
            the emotion network loses nothing without.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared)
        first = [node.name for node in graph.graph.node if node.op_type == "Conv"][:exact]
        quantize_static(
            prepared,
            target,
            CalibrationFaces(training),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # 7 bits: the sums of products of 8 bits overflow on processors without VNNI, which cost 7 points there.
            reduce_range=True,
            # With Clip a ReLU6 becomes the range of its convolution.
            op_types_to_quantize=["Conv", "MatMul", "Gemm", "MaxPool", "Clip"],
            nodes_to_exclude=heads(graph) + before_convolutions(graph) + first,
        )
        quantized = onnx.load(target)
        if correct:
            correct_biases(quantized, graph, training)
    exact_moments(quantized)
    onnx.helper.set_model_props(quantized, metadata_of(onnx.load(source)))
    onnx.save(quantized, target)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.quantize", description="Quantize a network to 8 bits.")
    parser.add_argument("model", type=Path, help=".onnx file made by export.emotion")
    parser.add_argument("out", type=Path, help=".onnx file to write")
    add_data_arguments(parser)
    args = parser.parse_args()
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "int8.onnx"
        quantize(args.model, candidate, faces.split("Training").images[..., None])
        public = faces.split("PublicTest")
        before, after = (evaluate(path, public)["PublicTest"]["accuracy"] for path in (args.model, candidate))
        if before - after > LARGEST_LOSS:
            print(f"error: not written: PublicTest accuracy falls from {before:.2%} to {after:.2%}.", file=sys.stderr)
            return 1
        measured = without_confusion(measure(candidate, faces))  # the only time that PrivateTest is read
        graph = onnx.load(candidate)
    publish(graph, args.out, "python -m export.quantize", measured)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB; PublicTest {before:.2%} before, {after:.2%} after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
