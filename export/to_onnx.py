"""Export trained emotion networks to the one ONNX file that is served.

    python -m export.to_onnx MODEL.keras [MODEL.keras ...] models/emotion.onnx --data DIR

Several networks become one graph that answers with the mean of their logits, each of which looks at the face and at its
mirror image, so that both get one answer; with --one-view at the face alone, in half the time. Beside `probabilities` it has `crowd` and
`activation` where all the networks can give them. With FER-2013 (--data, or FER2013_DIR in the environment) the
temperatures are fitted on PublicTest and put into the graph, the file is compared with Keras on real faces, measured on
every test set, and the figures go into its metadata and into metrics.json beside it. Without the data the temperatures are
1, nothing is measured, and the comparison uses the faces of the example photographs. Nothing is written where the
comparison fails.
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
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from export.verify import VerificationError, example_faces, verify
from inference.model_files import MODELS, write_checksums
from inference.types import CROWD, EMOTIONS
from training.data import DataError, add_data_arguments, crowd_distribution, load_fer2013
from training.evaluate import evaluate, fit_temperature, stress
from training.model import INPUT_SIZE

OPSET = 17


def serving_network(
    networks: list[keras.Model], temperature: float = 1.0, crowd_temperature: float = 1.0, mirrored: bool = False
) -> keras.Model:
    """One network out of trained ones, whose logits are the mean of theirs.

    Args:
        networks: built by `training.model`.
        temperature, crowd_temperature: the logits of each output are divided by it.
        mirrored: each looks at the mirror image of the face as well, so that a face and its mirror image get the same
            answer; in twice the time.

    Returns:
        float32 (N, 48, 48, 1) to a dict: `probabilities` (N, 7); of networks that have a second head also `crowd`
        (N, 8); of networks that end in global average pooling also `activation` (N, h, w, 7), the class activation map
        (Zhou et al. 2015, arXiv:1512.04150): the logits of `probabilities` are its mean over h and w.

    Raises:
        ValueError: a network lacks the named layers.
    """
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image")
    logits, crowd_logits, maps = [], [], []
    for trained in networks:
        names = {layer.name for layer in trained.layers}
        wanted = [name for name in ("features", "logits", "crowd_logits") if name in names]
        if "logits" not in wanted:
            raise ValueError(f"{trained.name} has no layer named logits.")
        network = fold_batch_norm(trained)
        layers_of = keras.Model(network.inputs, {name: network.get_layer(name).output for name in wanted})
        head = keras.layers.Conv2D(len(EMOTIONS), 1)
        for view in (image, image[:, :, ::-1]) if mirrored else (image,):
            found = layers_of(view)
            if "features" in found:
                # The head before the pooling instead of after it: the same logits, and a map on the way.
                activation = head(found["features"])
                found["logits"] = keras.layers.GlobalAveragePooling2D()(activation)
                maps.append(activation if view is image else activation[:, :, ::-1])
            logits.append(found["logits"])
            if "crowd_logits" in found:
                crowd_logits.append(found["crowd_logits"])
        if "features" in wanted:
            kernel, bias = network.get_layer("logits").get_weights()
            head.set_weights([kernel[None, None], bias])

    def mean(tensors: list, divisor: float):
        return keras.ops.divide(sum(tensors[1:], tensors[0]), len(tensors) * divisor)

    outputs = {"probabilities": keras.layers.Softmax()(mean(logits, temperature))}
    if len(crowd_logits) == len(logits):
        outputs["crowd"] = keras.layers.Softmax()(mean(crowd_logits, crowd_temperature))
    if len(maps) == len(logits):
        outputs["activation"] = mean(maps, temperature)
    return keras.Model(image, outputs)


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """The same function without batch norm: its scale and offset go into the convolution before it.

    Between the two there may be a max pooling, because the scale is positive (`training.model` uses no gamma).
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D):
            config["use_bias"] = True
        return type(layer).from_config(config)

    # Keras hands a batch norm a mask, which Identity does not take.
    folded = keras.models.clone_model(
        network, clone_function=clone, call_function=lambda layer, *inputs, **_: layer(*inputs)
    )
    weights = {layer.name: layer.get_weights() for layer in network.layers}
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            source = _before(layer)
            if isinstance(source, keras.layers.MaxPooling2D):
                source = _before(source)
            beta, mean, variance = weights.pop(layer.name)
            scale = 1 / np.sqrt(variance + layer.epsilon)
            (kernel,) = weights[source.name]
            weights[source.name] = [kernel * scale, beta - mean * scale]
    for name, values in weights.items():
        folded.get_layer(name).set_weights(values)
    return folded


def _before(layer: keras.Layer) -> keras.Layer:
    """The layer that feeds a layer of one input."""
    return layer.input._keras_history.operation


def convert(model: keras.Model, metadata: dict[str, str]) -> onnx.ModelProto:
    """Convert to the project's model contract.

    Args:
        model: float32 (N, S, S, C), values 0..255, and other float32 inputs if it has any, to a dict of outputs.
        metadata: goes into metadata_props.

    Returns:
        A checked ONNX model: inputs named as the model's (`image`), outputs as in the dict, a dynamic batch axis, opset 17.
    """
    names = ["image"] if len(model.inputs) == 1 else [tensor.name for tensor in model.inputs]
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tf.float32, name=name) for name, tensor in zip(names, model.inputs)
    ]

    @tf.function(input_signature=signature)
    def forward(*inputs):
        return model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)

    graph, _ = tf2onnx.convert.from_function(forward, forward.input_signature, opset=OPSET)
    del graph.graph.value_info[:]  # its shapes name the batch axis in many ways
    for node in (*graph.graph.input, *graph.graph.output):
        node.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.helper.set_model_props(graph, metadata)
    onnx.checker.check_model(graph, full_check=True)
    return graph


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.to_onnx", description="Export networks to ONNX.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument("--one-view", action="store_true", help="look at the face alone, not at its mirror image too")
    parser.add_argument("--also", metavar="TEXT", help="what it was trained on besides, for the metadata")
    add_data_arguments(parser, required=False)
    args = parser.parse_args()
    mirrored = not args.one_view
    try:
        faces = load_fer2013(args.data, official=not args.unofficial) if args.data else None
        networks = [keras.models.load_model(path, compile=False) for path in args.models]
        uncalibrated = serving_network(networks, mirrored=mirrored)
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    temperatures = {"probabilities": 1.0, "crowd": 1.0}
    if faces is not None and len(public := faces.split("PublicTest")):
        answers = uncalibrated.predict(public.images[..., None], batch_size=256, verbose=0)
        temperatures["probabilities"] = fit_temperature(answers["probabilities"], public.labels)
        if "crowd" in answers and public.votes is not None:
            temperatures["crowd"] = fit_temperature(answers["crowd"], crowd_distribution(public.votes))
    calibrated = serving_network(networks, temperatures["probabilities"], temperatures["crowd"], mirrored)
    metadata = {
        "labels": json.dumps(EMOTIONS),
        "input_size": str(INPUT_SIZE),
        "channels": "1",
        "temperature": f"{temperatures['probabilities']:.4f}",
        "dataset": "FER-2013, Training split" if faces is not None else "not stated",
        "recipe": " + ".join(network.name for network in networks),
        "mirrored": json.dumps(mirrored),
        "parameters": str(sum(network.count_params() for network in networks)),
        "version": datetime.date.today().isoformat(),
    }
    if "crowd" in calibrated.output:
        metadata |= {"crowd_labels": json.dumps(CROWD), "crowd_temperature": f"{temperatures['crowd']:.4f}"}
        metadata["dataset"] += ", and its FERPlus votes"
    if args.also:
        metadata["dataset"] += f", and {args.also}"
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
        results, stressed = ({}, {}) if faces is None else (evaluate(candidate, faces), stress(candidate, faces))
    metrics = {
        name: {key: value for key, value in figures.items() if key != "confusion"} for name, figures in results.items()
    }
    onnx.helper.set_model_props(graph, {**metadata, "metrics": json.dumps(metrics)})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, args.out)
    if args.out.resolve().parent == MODELS:
        write_checksums()
    if metrics:
        report = {
            "model": args.out.name,
            "command": "python -m export.to_onnx" + " --one-view" * args.one_view,
            **metadata,
            "metrics": metrics,
        }
        report |= {"labels": EMOTIONS, "stress": stressed}
        (args.out.parent / "metrics.json").write_text(json.dumps(report, indent=2) + "\n")
    size = args.out.stat().st_size / 1e6
    accuracy = ", ".join(f"{name} {figures['accuracy']:.2%}" for name, figures in metrics.items()) or "not measured"
    print(f"{args.out}: {size:.1f} MB, temperature {temperatures['probabilities']:.3f}; accuracy: {accuracy}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
