"""Of files that begin with a preview the full picture is read, or they are refused."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.images import ImageError, load_image

PHOTO = Image.open(Path(__file__).parent.parent / "examples" / "astronaut.jpg").convert("RGB").resize((240, 160))
PLAIN = np.asarray(PHOTO)
SMALL = PHOTO.resize((60, 40))


def tiff(*pages: dict, order: str = "<", big: bool = False) -> bytes:
    """A TIFF file of directories one after the other, each with its tags by number; "data" is of the picture, "jpeg" a whole
    JPEG file, "below" the directories that belong to it."""
    number, head = ("Q", 16) if big else ("I", 8)
    body = bytearray(head)

    def put(data: bytes) -> int:
        body.extend(data + bytes(-len(data) % 8))
        return len(body) - len(data) - -len(data) % 8

    def write(page: dict, following: int) -> int:
        tags = {
            tag: value if isinstance(value, list) else [value] for tag, value in page.items() if isinstance(tag, int)
        }
        if below := page.get("below"):
            tags[330] = [write(other, 0) for other in below]
        if data := page.get("data"):
            tags |= {273: [put(data)], 279: [len(data)]}
        if jpeg := page.get("jpeg"):
            tags |= {513: [put(jpeg)], 514: [len(jpeg)]}
        entries = b""
        for tag, values in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(values)}{number}", *values)
            if len(values) > 1:
                packed = struct.pack(order + number, put(packed))
            entries += struct.pack(f"{order}HH{number}", tag, 16 if big else 4, len(values)) + packed
        return put(
            struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + struct.pack(order + number, following)
        )

    place = 0
    for page in reversed(pages):
        place = write(page, place)
    mark = {"<": b"II", ">": b"MM"}[order]
    body[:head] = mark + (struct.pack(order + "HHHQ", 43, 8, 0, place) if big else struct.pack(order + "HI", 42, place))
    return bytes(body)


def rgb(image: Image.Image, reduced: int = 0, **more) -> dict:
    tags = {
        254: reduced,
        256: image.width,
        257: image.height,
        258: [8, 8, 8],
        259: 1,
        262: 2,
        277: 3,
        278: image.height,
    }
    return {**tags, "data": image.tobytes(), **more}


def sensor(width: int = 248, height: int = 164, **more) -> dict:
    """A color filter array of 16 bits."""
    return {
        254: 0,
        256: width,
        257: height,
        258: 16,
        259: 1,
        262: 32803,
        277: 1,
        "data": bytes(width * height * 2),
        **more,
    }


def jpeg(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0, **options)
    return buffer.getvalue()


def lossless_jpeg(width: int, height: int) -> bytes:
    """The beginning of one, of two samples in a place, as Canon has it."""
    frame = struct.pack(">HBHHB", 14, 14, height, width // 2, 2) + bytes([1, 17, 0, 2, 17, 0])
    return b"\xff\xd8\xff\xc3" + frame + b"\xff\xda\0\x08\1\1\0\1\0\0" + bytes(100) + b"\xff\xd9"


FULL = {
    "the second page": tiff(rgb(SMALL, 1), rgb(PHOTO)),
    "the second page, the first marked in the old way": tiff({**rgb(SMALL), 255: 2}, rgb(PHOTO)),
    "below": tiff(rgb(SMALL, 1, below=[rgb(PHOTO)])),
    "below one that is not marked": tiff(rgb(SMALL, 0, below=[rgb(PHOTO)])),
    "between others below": tiff(rgb(SMALL, 1, below=[rgb(SMALL, 1), rgb(PHOTO), rgb(SMALL, 1)])),
    "big-endian": tiff(rgb(SMALL, 1), rgb(PHOTO), order=">"),
    "BigTIFF": tiff(rgb(SMALL, 1), rgb(PHOTO), big=True),
    "BigTIFF, below": tiff(rgb(SMALL, 1, below=[rgb(PHOTO)]), big=True),
    "NEF: a JPEG as large as the sensor": tiff(rgb(SMALL, 1, below=[{254: 1, 259: 6, "jpeg": jpeg(PHOTO)}, sensor()])),
    "CR2: the first directory": tiff(
        {256: 240, 257: 160, 259: 6, "data": jpeg(PHOTO)},
        {259: 6, "jpeg": jpeg(SMALL)},
        rgb(SMALL),
        {259: 6, "data": lossless_jpeg(248, 164)},
    ),
    "ARW of a newer camera": tiff(
        {254: 1, 259: 6, "jpeg": jpeg(SMALL), "below": [sensor()]}, {259: 6, "jpeg": jpeg(PHOTO)}
    ),
    "DNG with a preview of full size": tiff(
        rgb(
            SMALL,
            1,
            below=[
                sensor(),
                {**rgb(PHOTO, 1), 259: 7, 262: 6, 530: [1, 1], "data": jpeg(PHOTO)},
            ],
        )
    ),
    "PEF: the sensor first": tiff(sensor(), {259: 6, "jpeg": jpeg(SMALL)}, {259: 6, "jpeg": jpeg(PHOTO)}),
    "a mask beside it": tiff(rgb(SMALL, 1), {**rgb(PHOTO.resize((480, 320)), 4)}, rgb(PHOTO)),
}


@pytest.mark.parametrize("name", FULL)
def test_the_full_picture_is_read(name):
    found = load_image(FULL[name])
    assert found.shape == PLAIN.shape and np.abs(found.astype(int) - PLAIN).mean() < 3


NO_MORE_THAN_A_PREVIEW = {
    "DNG": tiff(rgb(SMALL, 1, below=[sensor()])),
    "DNG whose first directory is not marked": tiff(rgb(SMALL, 0, below=[sensor()])),
    "linear DNG": tiff(rgb(SMALL, 1, below=[{**sensor(), 262: 34892}])),
    "DNG of a phone, the sensor first": tiff(sensor(below=[rgb(SMALL, 1)])),
    "ARW": tiff({254: 1, 259: 6, "jpeg": jpeg(SMALL), "below": [sensor()]}),
    "NEF with a smaller JPEG": tiff(
        rgb(SMALL, 1, below=[{254: 1, 259: 6, "jpeg": jpeg(PHOTO.resize((120, 80)))}, {**sensor(), 259: 34713}])
    ),
    "CR2 of an old camera": tiff(
        {256: 60, 257: 40, 259: 6, "data": jpeg(SMALL)}, {259: 6, "data": lossless_jpeg(248, 164)}
    ),
    "the sensor alone": tiff(sensor()),
}


@pytest.mark.parametrize("name", NO_MORE_THAN_A_PREVIEW)
def test_a_raw_file_with_a_small_preview_is_refused(name):
    with pytest.raises(ImageError, match="raw file with no more than a small preview.*Save it as JPEG"):
        load_image(NO_MORE_THAN_A_PREVIEW[name])


@pytest.mark.parametrize(
    "beginning",
    [b"\0\0\0\x18ftypcrx \0\0\0\1", b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIU\0\x18\0\0\0", b"FOVb\0\0\3\0"],
    ids=["CR3", "RAF", "ORF", "RW2", "X3F"],
)
def test_other_raw_files_are_named(beginning):
    with pytest.raises(ImageError, match="^This is a camera's raw file, which cannot be read here"):
        load_image(beginning.ljust(500, b"\0"))


def test_an_ordinary_file_gives_its_first_page():
    for data in (
        tiff(rgb(PHOTO), rgb(PHOTO.resize((480, 320)))),
        tiff(rgb(PHOTO, below=[rgb(SMALL, 1)]), rgb(SMALL, 1)),
        tiff(rgb(PHOTO, 2), rgb(SMALL, 2)),
        tiff(rgb(PHOTO, 1)),
    ):
        assert (load_image(data) == PLAIN).all()


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_the_first_directory_tells_what_is_up(orientation):
    turns = {3: 2, 6: 3, 8: 1}[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    for page in (
        rgb(SMALL, 1, below=[rgb(PHOTO)]),
        rgb(SMALL, 1, below=[{259: 6, "jpeg": jpeg(PHOTO)}, sensor()]),
        rgb(SMALL, 1, below=[{259: 6, "jpeg": jpeg(PHOTO, exif=exif)}, sensor()]),
        rgb(SMALL, 1, below=[rgb(PHOTO) | {274: orientation}]),
    ):
        found = load_image(tiff(page | {274: orientation}))
        assert found.shape == np.rot90(PLAIN, turns).shape
        assert np.abs(found.astype(int) - np.rot90(PLAIN, turns)).mean() < 3


def test_a_fourth_number_that_is_called_nothing_and_zero_everywhere_is_no_transparency():
    four = np.dstack([PLAIN, np.zeros(PLAIN.shape[:2], np.uint8)])
    page = rgb(PHOTO) | {258: [8, 8, 8, 8], 277: 4, "data": four.tobytes()}
    assert (load_image(tiff(page)) == PLAIN).all()
    assert (load_image(tiff(page | {338: 2})) == 255).all()


def test_directories_that_lead_to_one_another_end():
    data = tiff(rgb(SMALL, 1), rgb(PHOTO))
    first = struct.unpack_from("<I", data, 4)[0]
    last = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, last)[0]
    end = second + 2 + 12 * struct.unpack_from("<H", data, second)[0]
    assert (load_image(data[:end] + struct.pack("<I", first) + data[end + 4 :]) == PLAIN).all()
