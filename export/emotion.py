"""Export trained emotion networks to the one ONNX file that is served.

    python -m export.emotion MODEL.keras [MODEL.keras ...] models/emotion.onnx --data DIR

Several networks become one graph that answers with the mean of their logits, each over the face and its mirror image, so that
both get one answer; with --no-tta over the face alone, in half the time. Beside `probabilities` it has `crowd` and
`activation` where all the networks can give them. With FER-2013 (--data, or FER2013_DIR in the environment) the
temperatures are fitted on PublicTest and put into the graph, the file is compared with Keras on real faces, measured on
every test set, and the figures go into its metadata and into a report beside it: emotion_metrics.json, say. Without the data
the temperatures are 1, nothing is measured, and the comparison uses the faces of the example photographs. Nothing is written
where the comparison fails.

    python -m export.emotion --again models/emotion.onnx --data DIR

measures a file that was exported before once more, in 8 bits too.
"""

import argparse
import datetime
import json
import sys
import tempfile
from pathlib import Path

import keras
import onnx

from export.onnx_graph import convert, fold_batch_norm, publish
from export.parity import VerificationError, example_faces, verify
from inference.model_files import ModelError
from inference.types import CROWD, EMOTIONS
from training.datasets import DataError
from training.emotion.data import add_data_arguments, crowd_distribution, load_fer2013
from training.emotion.evaluate import measure, without_confusion
from training.emotion.model import INPUT_SIZE
from training.layers import load_network
from training.metrics import fit_temperature


def serving_network(
    networks: list[keras.Model], temperature: float = 1.0, crowd_temperature: float = 1.0, mirrored: bool = False
) -> keras.Model:
    """One network out of trained ones, whose logits are the mean of theirs.

    Args:
        networks: built by `training.emotion.model`.
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
    # Both views in one batch: in 8 bits they have to be computed with the same ranges to get the same answer.
    views = keras.ops.concatenate([image, image[:, :, ::-1]], axis=0) if mirrored else image
    logits, crowd_logits, maps = [], [], []
    for trained in networks:
        names = {layer.name for layer in trained.layers}
        wanted = [name for name in ("features", "logits", "crowd_logits") if name in names]
        if "logits" not in wanted:
            raise ValueError(f"{trained.name} has no layer named logits.")
        network = fold_batch_norm(trained)
        layers_of = keras.Model(network.inputs, {name: network.get_layer(name).output for name in wanted})
        head = keras.layers.Conv2D(len(EMOTIONS), 1)
        found = layers_of(views)
        if "features" in found:
            # The head before the pooling instead of after it: the same logits, and a map on the way.
            maps.append(head(found["features"]))
            found["logits"] = keras.layers.GlobalAveragePooling2D()(maps[-1])
        logits.append(found["logits"])
        if "crowd_logits" in found:
            crowd_logits.append(found["crowd_logits"])
        if "features" in wanted:
            kernel, bias = network.get_layer("logits").get_weights()
            head.set_weights([kernel[None, None], bias])

    def mean(tensors: list, divisor: float):
        total = sum(tensors[1:], tensors[0])
        if not mirrored:
            return keras.ops.divide(total, len(tensors) * divisor)
        face, mirror_image = keras.ops.unstack(keras.ops.reshape(total, (2, -1, *total.shape[1:])), 2)
        if len(total.shape) > 2:  # a map shows the mirror image
            mirror_image = mirror_image[:, :, ::-1]
        return keras.ops.divide(face + mirror_image, 2 * len(tensors) * divisor)

    outputs = {"probabilities": keras.layers.Softmax()(mean(logits, temperature))}
    if len(crowd_logits) == len(logits):
        outputs["crowd"] = keras.layers.Softmax()(mean(crowd_logits, crowd_temperature))
    if len(maps) == len(logits):
        outputs["activation"] = mean(maps, temperature)
    return keras.Model(image, outputs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.emotion", description="Export networks to ONNX.")
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL.keras")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument(
        "--no-tta", action="store_true", help="without test-time augmentation: the face alone, not its mirror image too"
    )
    parser.add_argument("--also", metavar="TEXT", help="what it was trained on besides, for the metadata")
    parser.add_argument("--again", action="store_true", help="measure OUT.onnx, which was exported before, once more")
    add_data_arguments(parser, required=False)
    args = parser.parse_args()
    if args.again == bool(args.models):
        parser.error("name the networks, or with --again the exported file alone")
    mirrored = not args.no_tta
    try:
        faces = load_fer2013(args.data, official=not args.unofficial) if args.data else None
        if args.again:
            if faces is None:
                raise DataError("--again measures on FER-2013: --data or FER2013_DIR is missing.")
            measured = without_confusion(measure(args.out, faces))
            publish(onnx.load(args.out), args.out, "python -m export.emotion --again", measured)
            print(told(args.out, measured))
            return 0
        networks = [load_network(path) for path in args.models]
        uncalibrated = serving_network(networks, mirrored=mirrored)
    except (DataError, ModelError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    temperatures = {"probabilities": 1.0, "crowd": 1.0}
    if faces is not None and len(public := faces.split("PublicTest")):
        predictions = uncalibrated.predict(public.images[..., None], batch_size=256, verbose=0)
        temperatures["probabilities"] = fit_temperature(predictions["probabilities"], public.labels)
        if "crowd" in predictions and public.votes is not None:
            temperatures["crowd"] = fit_temperature(predictions["crowd"], crowd_distribution(public.votes))
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
        measured = {} if faces is None else without_confusion(measure(candidate, faces))
    publish(graph, args.out, "python -m export.emotion" + " --no-tta" * args.no_tta, measured)
    print(told(args.out, measured) + f"; temperature {temperatures['probabilities']:.3f}")
    return 0


def told(file: Path, measured: dict) -> str:
    """How large an exported file is and how good."""
    sets = measured.get("metrics", {})
    accuracy = ", ".join(f"{name} {figures['accuracy']:.2%}" for name, figures in sets.items()) or "not measured"
    return f"{file}: {file.stat().st_size / 1e6:.1f} MB; accuracy: {accuracy}"


if __name__ == "__main__":
    sys.exit(main())
