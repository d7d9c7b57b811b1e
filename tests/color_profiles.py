"""ICC profiles made byte by byte."""

import struct

import numpy as np

# By name: the columns of ICC profiles, which others have adapted to D50.
SRGB_D50 = [[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]]
P3_D50 = [[0.51512, 0.24120, -0.00105], [0.29198, 0.69225, 0.04189], [0.15710, 0.06657, 0.78407]]
BT2020_D50 = [[0.67348, 0.27904, -0.00193], [0.16567, 0.67534, 0.02998], [0.12505, 0.04561, 0.79686]]
ADOBE_D50 = [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]]


def icc_profile(
    space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ", version: int = 2, name: bytes = b"test"
) -> bytes:
    """A color profile (ICC.1:2001-04)."""
    words = b"desc" + struct.pack(">4xI", len(name) + 1) + name + bytes(79)
    tags = {b"desc": words, b"wtpt": xyz([0.9642, 1, 0.8249]), b"cprt": b"text" + bytes(8), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s12x4s", size, b"", version << 24, b"mntr", space, connection, b"acsp")
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def xyz(values) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *np.round(np.array(values) * 65536).astype(int))


def curve(light) -> bytes:
    """A tone curve of 1,024 steps."""
    return (
        struct.pack(">4s4xI", b"curv", 1024) + np.round(light(np.arange(1024) / 1023) * 65535).astype(">u2").tobytes()
    )


def rgb_profile(columns, light, **options) -> bytes:
    tags = {name + b"XYZ": xyz(column) for name, column in zip((b"r", b"g", b"b"), columns)}
    tags |= {name + b"TRC": curve(light) for name in (b"r", b"g", b"b")}
    return icc_profile(b"RGB ", tags, **options)


def gamma(exponent: float):
    return lambda signal: signal**exponent


def srgb_curve(signal):
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
