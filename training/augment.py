"""Random distortions of training faces, in NumPy and OpenCV so that they are the same under every Keras backend."""

from dataclasses import dataclass

import cv2
import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random distortions; each is drawn uniformly and independently for every face.

    Those before "degraded" are how a face comes to be framed and lit. The four after "degraded" are what a webcam does to a face and
    FER-2013's photographs do not show: a network that never saw them loses ten points and more on such faces.

    Attributes:
        flip: mirror half of the faces left to right.
        stretch: width and height are scaled independently by 1 - stretch to 1 + stretch.
        scale: the face is scaled by a factor of this range.
        shift: the face moves by up to this part of its side, in x and in y.
        rotation: the face turns by up to this many degrees, either way.
        brightness: up to this many grey values are added or taken away.
        contrast: differences from mid-grey are multiplied by 1 - contrast to 1 + contrast.
        saturation: differences of a color from its grey are multiplied by 1 - saturation to 1 + saturation.
        tint: each color channel is multiplied by 1 - tint to 1 + tint.
        degraded: the part of the faces that gets each of the following four.
        blur: standard deviation of a Gaussian blur, in pixels of a 48-pixel face.
        shrink: the face is shrunk to this part of its side and enlarged again.
        noise: standard deviation of added Gaussian noise, in grey values.
        jpeg: quality of a JPEG compression.
        erased: the part of the faces of which a rectangle is filled with noise (Zhong et al. 2020, arXiv:1708.04896).
        strange: the part of the faces that gets each of the following four: how other cameras and lamps show a face.
        pixels: the face is shrunk to this part of its side and enlarged by repeating pixels.
        faint: differences from the face's mean grey are multiplied by this before they are rounded to whole grey values.
        gamma: exponent of a tone curve; equally often below and above 1 where the range is (1 / g, g).
        lamp: the light falls by this part from one side of the face to the other, in any direction.
        grey: the part of the faces that loses its colors; half of these become brown instead of grey.
        old: the part that gets each of the following three: what old prints and their scans show. For RGB faces.
        bleached: the print's black becomes lighter by this part of the way to its yellowish white, see `bleach`.
        grain: standard deviation of noise that spreads over some pixels, in grey values.
        scratches: how many scratches and specks lie on the print.
        scanned: the part that gets each of these, of grey, and of those after "degraded", with an even chance: an old print has
            many faults at once, which hardly ever meet where each is drawn by itself. For RGB faces.
    """

    flip: bool = False
    stretch: float = 0.0
    scale: Range = (1.0, 1.0)
    shift: float = 0.0
    rotation: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    tint: float = 0.0
    degraded: float = 0.0
    blur: Range = (0.4, 1.4)
    shrink: Range = (0.4, 0.8)
    noise: Range = (2.0, 16.0)
    jpeg: Range = (25.0, 80.0)
    erased: float = 0.0
    strange: float = 0.0
    pixels: Range = (0.35, 0.75)
    faint: Range = (0.06, 0.5)
    gamma: Range = (0.4, 2.5)
    lamp: Range = (0.2, 0.8)
    grey: float = 0.0
    old: float = 0.0
    bleached: Range = (0.1, 0.6)
    grain: Range = (4.0, 20.0)
    scratches: Range = (1.0, 6.0)
    scanned: float = 0.0


def augment(
    images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator, side: int | None = None
) -> np.ndarray:
    """Distort every face once.

    Args:
        images: uint8 (N, S, S) grey or (N, S, S, 3) RGB; saturation and tint are for RGB only.
        augmentation: the ranges.
        rng: the source of randomness; the same state gives the same faces.
        side: side of the result in pixels; S where None.

    Returns:
        A new uint8 array, (N, side, side) or (N, side, side, 3). Pixels from outside a face repeat its border.
    """
    result = _transform(images, augmentation, rng)
    if augmentation.brightness or augmentation.contrast:
        result = _relight(result, augmentation, rng)
    if augmentation.saturation or augmentation.tint:
        result = _recolor(result, augmentation, rng)
    faulty = np.zeros(len(images))
    if augmentation.scanned:
        faulty[rng.random(len(images)) < augmentation.scanned] = 0.5
    if augmentation.grey or augmentation.old or augmentation.scanned:
        _age(result, augmentation, faulty, rng)
    if augmentation.degraded or augmentation.scanned:
        _degrade(result, augmentation, faulty, rng)
    if augmentation.erased:
        _erase(result, augmentation.erased, rng)
    if augmentation.strange:
        _estrange(result, augmentation, rng)
    return result if side is None else resized(result, side)


def resized(images: np.ndarray, side: int) -> np.ndarray:
    """Faces uint8 (N, S, S) or (N, S, S, 3) averaged down to another side; those of that side as they are."""
    if side == images.shape[1]:
        return images
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images])


def _transform(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Flip, scale, turn and shift: one affine map a face."""
    count, side = images.shape[:2]
    scale = rng.uniform(1 - augmentation.stretch, 1 + augmentation.stretch, (count, 2))
    shift = rng.uniform(-augmentation.shift, augmentation.shift, (count, 2)) * side
    if augmentation.flip:
        scale[rng.random(count) < 0.5, 0] *= -1
    scale *= rng.uniform(*augmentation.scale, (count, 1))
    angle = np.radians(rng.uniform(-augmentation.rotation, augmentation.rotation, count))
    center = (side - 1) / 2
    matrices = np.zeros((count, 2, 3))
    matrices[:, 0, :2] = np.stack([np.cos(angle), -np.sin(angle)], axis=1) * scale
    matrices[:, 1, :2] = np.stack([np.sin(angle), np.cos(angle)], axis=1) * scale
    matrices[:, :, 2] = center - matrices[:, :, :2].sum(axis=2) * center + shift
    result = np.empty_like(images)
    for image, matrix, out in zip(images, matrices, result):
        cv2.warpAffine(image, matrix, (side, side), dst=out, borderMode=cv2.BORDER_REPLICATE)
    return result


def _relight(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A new array: contrast about mid-grey, then brightness, by one table of 256 grey values a face."""
    contrast = rng.uniform(1 - augmentation.contrast, 1 + augmentation.contrast, (len(images), 1))
    brightness = rng.uniform(-augmentation.brightness, augmentation.brightness, (len(images), 1))
    tables = ((np.arange(256) - 127.5) * contrast + 127.5 + brightness).round().clip(0, 255).astype(np.uint8)
    return np.stack([table[image] for table, image in zip(tables, images)]) if len(images) else images.copy()


def _recolor(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A new array of RGB faces: saturation and tint as one matrix of 3x3 a face; the weights of grey are BT.601's."""
    count = len(images)
    saturation = rng.uniform(1 - augmentation.saturation, 1 + augmentation.saturation, (count, 1, 1))
    tint = rng.uniform(1 - augmentation.tint, 1 + augmentation.tint, (count, 3, 1))
    matrices = tint * (saturation * np.eye(3) + (1 - saturation) * np.array([0.299, 0.587, 0.114]))
    result = np.empty_like(images)
    for image, matrix, out in zip(images, matrices, result):
        cv2.transform(image, matrix, dst=out)
    return result


def _age(images: np.ndarray, augmentation: Augmentation, faulty: np.ndarray, rng: np.random.Generator) -> None:
    """Grey or brown, bleached, grainy, scratched, in the order from the film to the scan; RGB faces in place.

    `faulty` (N,) holds the least chance of each of them for each face.
    """
    count, part = len(images), np.maximum(augmentation.old, faulty)
    for index, brown in _drawn(count, np.maximum(augmentation.grey, faulty), (-1.0, 1.0), rng):
        images[index] = without_color(images[index], max(brown, 0.0))
    for index, amount in _drawn(count, part, augmentation.bleached, rng):
        images[index] = bleach(images[index], amount)
    for index, deviation in _drawn(count, part, augmentation.grain, rng):
        images[index] = add_grain(images[index], deviation, rng)
    for index, scratches in _drawn(count, part, augmentation.scratches, rng):
        images[index] = scratch(images[index], round(scratches), rng)


def _degrade(images: np.ndarray, augmentation: Augmentation, faulty: np.ndarray, rng: np.random.Generator) -> None:
    """Blur, shrink, add noise and compress, in the order in which a camera and a line do it; in place. `faulty` as in `_age`."""
    count, part = len(images), np.maximum(augmentation.degraded, faulty)
    for index, sigma in _drawn(count, part, augmentation.blur, rng):
        images[index] = blur(images[index], sigma)
    for index, factor in _drawn(count, part, augmentation.shrink, rng):
        images[index] = shrink(images[index], factor)
    for index, deviation in _drawn(count, part, augmentation.noise, rng):
        images[index] = add_noise(images[index], deviation, rng)
    for index, quality in _drawn(count, part, augmentation.jpeg, rng):
        images[index] = compress(images[index], quality)


def _estrange(images: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> None:
    """Light from a side, tone curve, few grey values, few pixels, in the order from the lamp to the picture; in place."""
    count, part = len(images), augmentation.strange
    for index, fall in _drawn(count, part, augmentation.lamp, rng):
        images[index] = light_from_a_side(images[index], fall, rng.uniform(0, 2 * np.pi))
    for index, logarithm in _drawn(count, part, tuple(np.log(augmentation.gamma)), rng):
        images[index] = tone(images[index], np.exp(logarithm))
    for index, contrast in _drawn(count, part, augmentation.faint, rng):
        images[index] = fade(images[index], contrast)
    for index, factor in _drawn(count, part, augmentation.pixels, rng):
        images[index] = pixelate(images[index], factor)


def _drawn(count: int, part: float | np.ndarray, values: Range, rng: np.random.Generator):
    """(index, value) of the faces that get a distortion: this part of them, or each with its own chance, (count,)."""
    index = np.flatnonzero(rng.random(count) < part)
    return zip(index, rng.uniform(*values, len(index)))


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), under a Gaussian blur with a standard deviation in pixels."""
    return cv2.GaussianBlur(image, (0, 0), sigma)


def shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), shrunk to a part of its side by area averaging, and enlarged again linearly."""
    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height))


def add_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A uint8 image (any shape) with Gaussian noise of a standard deviation in grey values."""
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(deviation)
    return (image + noise).round().clip(0, 255).astype(np.uint8)


def compress(image: np.ndarray, quality: float) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), after JPEG compression at a quality of 1 to 100."""
    encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, round(quality)))[1]
    return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR)


def pixelate(image: np.ndarray, factor: float) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), shrunk to a part of its side by area averaging, and enlarged by repeating pixels."""
    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def fade(image: np.ndarray, contrast: float) -> np.ndarray:
    """A uint8 image (any shape) whose differences from its mean are multiplied, and rounded: few grey values are left."""
    mean = image.mean()
    return ((image - mean) * contrast + mean).round().clip(0, 255).astype(np.uint8)


def tone(image: np.ndarray, gamma: float) -> np.ndarray:
    """A uint8 image (any shape) through the tone curve grey ** gamma; above 1 it becomes darker."""
    return (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)[image]


def light_from_a_side(image: np.ndarray, fall: float, direction: float) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), whose light falls by a part of it from one side to the other.

    Args:
        image: the image.
        fall: 0 to 1, over the image's width.
        direction: in which it falls, in radians, clockwise as seen from the right.
    """
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    along = (columns / (width - 1) - 0.5) * np.cos(direction) + (rows / (height - 1) - 0.5) * np.sin(direction)
    light = np.clip(1 - fall * (0.5 + along), 0, 1)
    return (image * light.reshape(*light.shape, *[1] * (image.ndim - 2))).round().astype(np.uint8)


BROWN = np.array([1.0, 0.86, 0.67])
"""What a grey becomes in a print that has gone fully brown, as factors on red, green and blue."""
YELLOWED = np.array([245.0, 228.0, 196.0])
"""RGB of the paper of an old print."""


def without_color(image: np.ndarray, brown: float = 0.0) -> np.ndarray:
    """An RGB uint8 image (H, W, 3) in grey, or tinted toward BROWN, 0 to 1."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    return (grey * (1 - brown + brown * BROWN)).round().astype(np.uint8)


def bleach(image: np.ndarray, amount: float) -> np.ndarray:
    """An RGB uint8 image (H, W, 3) whose colors have gone a part of the way to those of yellowed paper, 0 to 1."""
    return ((1 - amount) * image + amount * YELLOWED).round().astype(np.uint8)


def add_grain(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), with the grain of a film: grey noise that spreads over a hundredth of the width."""
    height, width = image.shape[:2]
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), max(width / 100, 0.3))
    noise = noise * np.float32(deviation / max(float(noise.std()), 1e-9))
    return (image + noise.reshape(height, width, *[1] * (image.ndim - 2))).round().clip(0, 255).astype(np.uint8)


def scratch(image: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """A uint8 image, (H, W) or (H, W, 3), with bright or dark scratches and specks, a hundredth of the width thick."""
    result = image.copy()
    height, width = image.shape[:2]
    for _ in range(count):
        x, y = rng.integers(width), rng.integers(height)
        length, angle = width * rng.choice((0.02, 0.6)) * rng.random(), rng.uniform(0, 2 * np.pi)
        end = round(x + length * np.cos(angle)), round(y + length * np.sin(angle))
        grey = int(rng.choice((rng.integers(0, 70), rng.integers(190, 256))))
        cv2.line(result, (int(x), int(y)), end, (grey,) * 3, max(round(width / 100), 1), cv2.LINE_AA)
    return result


def _erase(images: np.ndarray, part: float, rng: np.random.Generator) -> None:
    """Fill a rectangle with noise, of 15 to 45 percent of the side each way; in place."""
    side = images.shape[1]
    for index in np.flatnonzero(rng.random(len(images)) < part):
        height, width = rng.integers(round(0.15 * side), round(0.45 * side), 2, endpoint=True)
        top, left = rng.integers(side - height, endpoint=True), rng.integers(side - width, endpoint=True)
        noise = rng.integers(256, size=(height, width, *images.shape[3:]), dtype=np.uint8)
        images[index, top : top + height, left : left + width] = noise
