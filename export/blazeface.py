"""Convert MediaPipe's face detector to ONNX, for many looks at once, and for browsers.

    python -m export.blazeface [OUT.onnx]

OUT.onnx is by default the file beside the one that MediaPipe reads. Input `image`, float32 (N, 128, 128, 3), RGB from -1 to 1;
outputs `boxes`, float32 (N, 896, 16), in parts of the picture's side: the middle (x, y), the width and the height of a box, then
(x, y) of the eyes, the nose, the mouth and the ears; and `scores`, float32 (N, 896), 0 to 1. Boxes of one face are many; MediaPipe
averages those that overlap by their scores.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import tf2onnx
from onnx import helper, numpy_helper

from export.onnx_graph import OPSET
from inference.blazeface import FILE, INPUT_SIZE, ONNX_FILE, BlazeFace
from inference.detector import as_near, look_from
from inference.images import load_image
from inference.model_files import MODELS, write_checksums
from inference.search import FaceSearch

OUT = MODELS / ONNX_FILE
EXAMPLES = MODELS.parent / "examples"
ANCHORS_BY_STRIDE = {8: 2, 16: 6}
"""Boxes of each cell of the two grids, by the pixels of a cell."""
LARGEST_LOGIT = 100.0
"""MediaPipe cuts off logits beyond, so that their exponential is finite."""
LARGEST_DIFFERENCE = 2e-3
"""Of a score and, in parts of the picture, of a box from MediaPipe's, which computes in another order."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.blazeface", description="Convert MediaPipe's face detector to ONNX."
    )
    parser.add_argument("out", type=Path, nargs="?", default=OUT, metavar="OUT.onnx", help="default: %(default)s")
    args = parser.parse_args()
    graph = convert(MODELS / FILE)
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / ONNX_FILE
        onnx.save(graph, candidate)
        differences = compare(candidate, sorted(EXAMPLES.glob("*.jpg")))
    if not max(differences) < LARGEST_DIFFERENCE:
        print(f"error: not written: ONNX and MediaPipe differ by {max(differences):.2g}", file=sys.stderr)
        return 1
    onnx.save(graph, args.out)
    if args.out.resolve().parent == MODELS:
        write_checksums()
    size = args.out.stat().st_size / 1e6
    print(f"{args.out}: {size:.2f} MB, ONNX and MediaPipe differ by {max(differences):.1g} on {len(differences)} faces")
    return 0


def convert(path: Path) -> onnx.ModelProto:
    """The network of a .tflite file, with its boxes and scores decoded, on pictures in batches of any number."""
    model, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    graph = model.graph
    (image,) = graph.input
    raw_boxes, raw_scores = sorted(graph.output, key=lambda output: -output.type.tensor_type.shape.dim[2].dim_value)
    del graph.value_info[:]
    _free_batch_axis(graph)
    anchors = _anchors()
    constants = {
        "scale": np.float32(1 / INPUT_SIZE),
        "anchors": anchors,
        "last": np.array([2]),
        "least": np.float32(-LARGEST_LOGIT),
        "most": np.float32(LARGEST_LOGIT),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    graph.node.extend(
        [
            helper.make_node("Mul", [raw_boxes.name, "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "anchors"], ["boxes"]),
            helper.make_node("Squeeze", [raw_scores.name, "last"], ["logits"]),
            helper.make_node("Clip", ["logits", "least", "most"], ["clipped"]),
            helper.make_node("Sigmoid", ["clipped"], ["scores"]),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *shape])
        for name, shape in (("boxes", anchors.shape), ("scores", anchors.shape[:1]))
    )
    for node in graph.node:
        node.input[:] = ["image" if name == image.name else name for name in node.input]
    image.name = "image"
    image.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.checker.check_model(model, full_check=True)
    return model


def _anchors() -> np.ndarray:
    """What is added to the boxes, float32 (896, 16): the middle of their cells to all points, nothing to the width and height."""
    middles = []
    for stride, boxes in ANCHORS_BY_STRIDE.items():
        cells = INPUT_SIZE // stride
        y, x = np.divmod(np.arange(cells * cells), cells)
        middles.append(np.repeat(np.stack([x, y], axis=1) + 0.5, boxes, axis=0) / cells)
    anchors = np.tile(np.concatenate(middles), 8).astype(np.float32)
    anchors[:, 2:4] = 0
    return anchors


def _free_batch_axis(graph: onnx.GraphProto) -> None:
    """Let the shapes to which tensors are brought keep the first axis."""
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            values = numpy_helper.to_array(tensor).copy()
            assert values[0] == 1, "a shape that begins with a batch of one"
            values[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def compare(candidate: Path, files: list[Path]) -> list[float]:
    """The largest difference of ONNX's and MediaPipe's score and points, in parts of the picture, of each face of some photographs
    as it is seen from near."""
    searcher, model, differences = FaceSearch(), BlazeFace(candidate), []
    for path in files:
        image = load_image(path)
        for place in map(as_near, searcher.search(image)):
            crop, _ = look_from(image, place)
            seen, converted = model.look(crop), model.look_near([crop])[0]
            if seen and converted:
                pair = [max(faces, key=lambda face: face.score) for faces in (seen, converted)]
                points = [np.array([face.left_eye, face.right_eye, face.nose, face.mouth]) for face in pair]
                apart = np.abs(points[0] - points[1]).max() / INPUT_SIZE
                differences.append(float(max(abs(pair[0].score - pair[1].score), apart)))
    model.close()
    return differences


if __name__ == "__main__":
    sys.exit(main())
