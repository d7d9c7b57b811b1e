"""Compare emotion networks with the file that was exported from them; every export does so itself.

    python -m export.verify MODEL.keras [MODEL.keras ...] MODEL.onnx [--data DIR]

Without FER-2013 (--data, or FER2013_DIR in the environment) the faces of the example photographs are compared.
"""

import argparse
import sys
from pathlib import Path

from export.emotion import serving_network
from export.parity import VerificationError, example_faces, verify
from inference.model_files import ModelError
from inference.session import Session
from training.datasets import DataError
from training.emotion.data import add_data_arguments, load_fer2013
from training.layers import load_network


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m export.verify", description="Compare a network with its export.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    parser.add_argument("onnx", type=Path, metavar="MODEL.onnx", help="the file made from them")
    add_data_arguments(parser, required=False)
    args = parser.parse_args()
    try:
        real = load_fer2013(args.data, official=not args.unofficial) if args.data else None
        networks = [load_network(path) for path in args.models]
        metadata = Session(args.onnx.resolve(), cuda=False).metadata
        temperature, crowd = (float(metadata.get(name, 1)) for name in ("temperature", "crowd_temperature"))
        faces = example_faces() if real is None else real.images[real.splits > 0]
        mirrored = metadata.get("mirrored") == "true"
        print(verify(serving_network(networks, temperature, crowd, mirrored), args.onnx, faces))
    except (DataError, ModelError, VerificationError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
