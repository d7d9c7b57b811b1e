"""From a Keras network to an ONNX graph, and from that to a file with its figures: what all exports share."""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from inference.model_files import MODELS, write_checksums
from training.report import report_path, write_report

OPSET = 17
"""The highest that tf2onnx writes and both onnxruntime and onnxruntime-web run."""


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """The same function without batch norm: its scale and offset go into the convolution before it.

    Between the two there may be a max pooling, where the scale is positive (`training.layers.batch_norm` uses no gamma).
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.BatchNormalization):
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config()
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
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
            *gamma, beta, mean, variance = weights.pop(layer.name)
            scale = (gamma[0] if gamma else 1) / np.sqrt(variance + layer.epsilon)
            (kernel,) = weights[source.name]
            # A depthwise kernel has a last axis of one.
            by_channel = scale[:, None] if isinstance(source, keras.layers.DepthwiseConv2D) else scale
            weights[source.name] = [kernel * by_channel, beta - mean * scale]
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
        A checked ONNX model: inputs named as the model's (`image`), outputs as in the dict, a dynamic batch axis, opset OPSET.
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


def metadata_of(graph: onnx.ModelProto) -> dict[str, str]:
    """The metadata_props of a graph."""
    return {entry.key: entry.value for entry in graph.metadata_props}


def save(graph: onnx.ModelProto, out: Path) -> None:
    """Write a graph to a file, with the providers that it is for in its metadata: "cpu, cuda", or "cpu" where it computes in 8-bit
    integers, which CUDA rounds otherwise. In models/ the list of checksums follows."""
    integers = any(node.op_type == "QuantizeLinear" for node in graph.graph.node)
    onnx.helper.set_model_props(graph, {**metadata_of(graph), "providers": "cpu" if integers else "cpu, cuda"})
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(graph, out)
    if out.resolve().parent == MODELS:
        write_checksums()


def publish(graph: onnx.ModelProto, out: Path, command: str, measured: dict) -> None:
    """Write an exported network with its test figures in its metadata, and its report beside it.

    Args:
        graph: the network; its metadata get the key `metrics`.
        out: the file.
        command: by which it was exported, for the report.
        measured: what `training.report` takes; where it has no metrics, there is no report.
    """
    metrics = measured.get("metrics", {})
    onnx.helper.set_model_props(graph, {**metadata_of(graph), "metrics": json.dumps(metrics)})
    save(graph, out)
    metadata = {key: value for key, value in metadata_of(graph).items() if key != "metrics"}
    if metrics:
        write_report(report_path(out), out.name, command, metadata, measured)
