"""Export a trained emotion network to the ONNX file that is served.

    python -m export.to_onnx MODEL.keras models/emotion.onnx --data DIR

With FER-2013 (--data, or FER2013_DIR in the environment) a temperature is fitted on PublicTest and put into the graph,
the file is compared with Keras on real faces, measured on every test set, and the figures go into its metadata and into
metrics.json beside it. Without the data the temperature is 1, nothing is measured, and the comparison uses the faces of
the example photographs. Nothing is written where the comparison fails.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"  # tf2onnx reads TensorFlow graphs
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import onnx
import tensorflow as tf
import tf2onnx

from export.verify import VerificationError, example_faces, verify
from inference.model_files import MODELS, write_checksums
from inference.types import EMOTIONS
from training.data import DataError, add_data_arguments, load_fer2013
from training.evaluate import evaluate, fit_temperature, predict

OPSET = 17


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """The network with softmax(logits / temperature) as its last step; float32 (N, S, S, 1) -> (N, 7).

    Raises:
        ValueError: the last layer of the network is not a Softmax.
    """
    if not isinstance(model.layers[-1], keras.layers.Softmax):
        raise ValueError(f"the last layer must be a Softmax, not {type(model.layers[-1]).__name__}.")
    logits = keras.Model(model.inputs, model.layers[-1].input)(model.inputs)
    return keras.Model(model.inputs, keras.layers.Softmax()(logits / temperature))


def convert(model: keras.Model, metadata: dict[str, str]) -> onnx.ModelProto:
    """Convert to the project's model contract.

    Args:
        model: float32 (N, S, S, 1), grey values 0..255, to probabilities (N, 7).
        metadata: goes into metadata_props.

    Returns:
        A checked ONNX model: input `image`, output `probabilities`, a dynamic batch axis, opset 17.
    """
    shape = (None, *model.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    def forward(image):
        return {"probabilities": model(image, training=False)}

    graph, _ = tf2onnx.convert.from_function(forward, forward.input_signature, opset=OPSET)
    del graph.graph.value_info[:]  # its shapes name the batch axis in many ways
    for node in (*graph.graph.input, *graph.graph.output):
        node.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.to_onnx", description="Export a network to ONNX.")
    parser.add_argument("model", type=Path, help=".keras file")
    parser.add_argument("out", type=Path, help=".onnx file")
    add_data_arguments(parser, required=False)
    args = parser.parse_args()
    try:
        faces = load_fer2013(args.data, official=not args.unofficial) if args.data else None
        model = keras.models.load_model(args.model, compile=False)
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    temperature = 1.0
    if faces is not None and len(faces.split("PublicTest")):
        public = faces.split("PublicTest")
        temperature = fit_temperature(predict(args.model, public.images), public.labels)
    calibrated = with_temperature(model, temperature)
    metadata = {
        "labels": json.dumps(EMOTIONS),
        "input_size": str(model.input_shape[1]),
        "channels": str(model.input_shape[3]),
        "temperature": f"{temperature:.4f}",
        "dataset": "FER-2013, Training split" if faces is not None else "not stated",
        "recipe": model.name,
        "parameters": str(model.count_params()),
        "version": datetime.date.today().isoformat(),
    }
    graph = convert(calibrated, metadata)
    real = example_faces() if faces is None else faces.images[faces.splits > 0]
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / "candidate.onnx"
        onnx.save(graph, candidate)
        try:
            print(verify(calibrated, candidate, real))
        except VerificationError as error:
            print(f"error: not exported: {error}", file=sys.stderr)
            return 1
        results = {} if faces is None else evaluate(candidate, faces)
    metrics = {
        name: {key: value for key, value in figures.items() if key != "confusion"} for name, figures in results.items()
    }
    onnx.helper.set_model_props(graph, {**metadata, "metrics": json.dumps(metrics)})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, args.out)
    if args.out.resolve().parent == MODELS:
        write_checksums()
    if metrics:
        report = {"model": args.out.name, "command": "python -m export.to_onnx", **metadata, "metrics": metrics}
        report["labels"] = EMOTIONS
        (args.out.parent / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    size = args.out.stat().st_size / 1e6
    accuracy = ", ".join(f"{name} {figures['accuracy']:.2%}" for name, figures in metrics.items()) or "not measured"
    print(f"{args.out}: {size:.1f} MB, temperature {temperature:.3f}; accuracy: {accuracy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
