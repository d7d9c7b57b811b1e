"""Convert MediaPipe's face detector to ONNX, for browsers.

    python -m export.blazeface [OUT.onnx]

OUT.onnx is by default the file beside the one that MediaPipe reads. Input `image`, float32 (N, 128, 128, 3), RGB from -1 to 1;
outputs `boxes`, float32 (N, 896, 16), in parts of the picture's side: the middle (x, y), the width and the height of a box, then
(x, y) of the eyes, the nose, the mouth and the ears; and `scores`, float32 (N, 896), 0 to 1. Boxes of one face are many; MediaPipe
averages those that overlap by their scores.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import tf2onnx
from onnx import helper, numpy_helper

from export.onnx_graph import OPSET
from inference.alignment import cut_square
from inference.detector import CANDIDATE_SCORE, FILE, NEAR_SIDE, NEAR_SIZE, SUPPRESSION, FaceDetector
from inference.images import load_image
from inference.model_files import MODELS, write_checksums

OUT = (MODELS / FILE).with_suffix(".onnx")
EXAMPLES = MODELS.parent / "examples"
ANCHORS_BY_STRIDE = {8: 2, 16: 6}
"""Boxes of each cell of the two grids, by the pixels of a cell."""
LARGEST_LOGIT = 100.0
"""MediaPipe cuts off logits beyond, so that their exponential is finite."""
LARGEST_DIFFERENCE = 2e-3
"""Of a score and, in parts of the picture, of a box from MediaPipe's, which computes in another order."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.blazeface", description="Convert MediaPipe's face detector to ONNX, for browsers."
    )
    parser.add_argument("out", type=Path, nargs="?", default=OUT, metavar="OUT.onnx", help="default: %(default)s")
    args = parser.parse_args()
    graph = convert(MODELS / FILE)
    differences = compare(graph, sorted(EXAMPLES.glob("*.jpg")))
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
        "scale": np.float32(1 / NEAR_SIZE),
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
        cells = NEAR_SIZE // stride
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


def compare(graph: onnx.ModelProto, files: list[Path]) -> list[float]:
    """The largest difference of ONNX's and MediaPipe's score and points, in parts of the picture, of each face of some photographs
    as it is seen from near."""
    session, differences = onnxruntime.InferenceSession(graph.SerializeToString()), []
    detector = FaceDetector()
    for path in files:
        image = load_image(path)
        for face in detector.detect(image):
            x1, y1, x2, y2 = face.box
            side = NEAR_SIDE * max(x2 - x1, y2 - y1)
            crop, _ = cut_square(image, ((x1 + x2) / 2, (y1 + y2) / 2), side, 0.0, NEAR_SIZE)
            seen = detector.look(crop)
            if not seen:
                continue
            best = max(seen, key=lambda detection: detection.score)
            boxes, scores = (
                values[0] for values in session.run(["boxes", "scores"], {"image": crop[None] / np.float32(127.5) - 1})
            )
            mean = _average(boxes, scores)
            points = np.concatenate([best.left_eye, best.right_eye, best.nose, best.mouth]) / NEAR_SIZE
            differences.append(float(max(abs(best.score - scores.max()), np.abs(mean[4:12] - points).max())))
    detector.close()
    return differences


def _average(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The best box, averaged with those that overlap it."""
    kept = scores >= CANDIDATE_SCORE
    boxes, scores = boxes[kept], scores[kept]
    low, high = boxes[:, :2] - boxes[:, 2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2
    best = int(scores.argmax())
    shared = np.prod(np.maximum(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0), axis=1)
    area = np.prod(boxes[:, 2:4], axis=1)
    close = shared > SUPPRESSION * (area + area[best] - shared)
    return np.average(boxes[close], axis=0, weights=scores[close])


if __name__ == "__main__":
    sys.exit(main())
