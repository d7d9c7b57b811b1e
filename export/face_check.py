"""Export the network that checks faces.

    python -m export.face_check MODEL.keras models/face_check.onnx

`python -m training.face_check` makes MODEL.keras and, beside it, report.json, whose figures go into the metadata.
"""

import argparse
import datetime
import sys
from pathlib import Path

import keras
import numpy as np
import onnxruntime

from export.onnx_graph import convert, save
from training.layers import load_network


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.face_check", description="Export the check of faces.")
    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    args = parser.parse_args()
    model = load_network(args.model)
    metadata = {
        "input_size": str(model.inputs[0].shape[1]),
        "channels": "3",
        "measures": str(model.inputs[1].shape[1]),
        "parameters": str(model.count_params()),
        "dataset": "FairFace, UTKFace, and pictures of animals (10 Monkey Species; Dogs vs. Cats)",
        "metrics": args.model.with_name("report.json").read_text(),
        "version": datetime.date.today().isoformat(),
    }
    image, measures = model.inputs
    prediction = keras.layers.Reshape((), name="probability")(model(model.inputs))
    graph = convert(keras.Model([image, measures], {"probability": prediction}), metadata)
    rng = np.random.default_rng(0)
    feed = {
        node.name: rng.uniform(0, 255 if node.name == "image" else 1, (8, *tensor.shape[1:])).astype(np.float32)
        for node, tensor in zip(graph.graph.input, model.inputs)
    }
    (predictions,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, feed)
    difference = float(np.abs(predictions - np.array(model(list(feed.values())))[:, 0]).max())
    if difference > 1e-4:
        print(f"error: not exported: ONNX and Keras differ by {difference:.2g}", file=sys.stderr)
        return 1
    save(graph, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.2f} MB, ONNX and Keras differ by {difference:.1g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
