"""How the age and gender networks are trained."""

from dataclasses import dataclass, replace

from training.age_gender.data import SIZE, SOURCES
from training.age_gender.model import WIDE, WIDER, age_gender_cnn, age_gender_mobilenet
from training.augment import Augmentation
from training.recipe import Recipe, sgd


@dataclass(frozen=True)
class AgeGenderRecipe(Recipe):
    """A recipe whose targets are ages, or age groups, and genders.

    Attributes:
        sources: the data sets that it sees, of SOURCES.
    """

    sources: tuple[str, ...] = SOURCES


CAMERA = Augmentation(
    flip=True,
    stretch=0.03,
    scale=(0.85, 1.15),
    shift=0.08,
    rotation=8,
    brightness=40,
    contrast=0.3,
    saturation=0.4,
    tint=0.1,
    degraded=0.12,
    blur=(0.5, 1.6),
    shrink=(0.35, 0.8),
    noise=(2.0, 16.0),
    jpeg=(25.0, 80.0),
)
"""What cameras do to faces, and detectors to their framing."""

ALBUM = replace(
    CAMERA,
    scale=(0.78, 1.25),
    shift=0.1,
    rotation=14,
    grey=0.2,
    old=0.12,
    strange=0.06,
    faint=(0.2, 0.7),
    gamma=(0.5, 2.0),
    lamp=(0.2, 0.6),
)
"""Photographs of private albums as well: framed tighter, wider and askew, grey, faded, grainy, scanned, of few pixels."""

_fairface = AgeGenderRecipe(
    build=age_gender_cnn, optimizer=sgd(0.1), epochs=16, batch_size=128, augmentation=CAMERA, sources=("FairFace",)
)
# Goes on (--start) from a network that was trained on FairFace.
_both = replace(_fairface, optimizer=sgd(0.06, average=0.1), epochs=28, sources=SOURCES)
_wide_64 = replace(_both, build=lambda: age_gender_cnn(SIZE, WIDE), epochs=16)
# Goes on from what export.restore made: its kernels are small, so that the rate above would move them by 4 % a step.
_further = replace(_wide_64, optimizer=sgd(0.008, average=0.1), epochs=16)

# Goes on at a rate at which it is worse at first, and longer.
_long = replace(_further, optimizer=sgd(0.02, average=0.1), epochs=90, augmentation=ALBUM)

_mobilenet = replace(
    _both,
    build=age_gender_mobilenet,
    optimizer=sgd(0.03, average=0.1),
    epochs=40,
    batch_size=64,
    augmentation=replace(ALBUM, scale=(0.85, 1.15), rotation=10, grey=0.1, old=0.06, strange=0.03),
)

SCANNED = replace(ALBUM, scanned=0.2)
"""Old prints as well, with many faults at once."""

_mobilenet_long = replace(_mobilenet, optimizer=sgd(0.015, average=0.1), epochs=22, augmentation=ALBUM)
_mobilenet_112 = replace(_mobilenet_long, build=lambda: age_gender_mobilenet(112), epochs=18)

RECIPES = {
    "fairface": _fairface,
    # What a run of "fairface" that has to be cut short goes on with (--start): the falling rate.
    "fairface-finish": replace(_fairface, optimizer=sgd(0.08, average=0.1), epochs=2),
    "both": _both,
    # Go on from that: at all the pixels, and with more channels in the last stages.
    "both-64": replace(_both, build=lambda: age_gender_cnn(SIZE), epochs=16),
    "both-wide": replace(_both, build=lambda: age_gender_cnn(stages=WIDE), epochs=16),
    "both-wide-64": _wide_64,
    # Goes on from the mean of two runs of that, which had other seeds.
    "both-wide-64-finish": replace(_wide_64, optimizer=sgd(0.03, average=0.1), epochs=8),
    "both-wide-64-further": _further,
    # With photographs of private albums, of which a part of the pull toward undisturbed ones is lost: what is released is the
    # mean (export.age_gender --mean) of this one and the one that it began with.
    "both-wide-64-album": replace(_further, optimizer=sgd(0.004, average=0.1), epochs=36, augmentation=ALBUM),
    # From that mean to their mean again; once more from that, with more faces an epoch (--faces).
    "both-wide-64-long": _long,
    # Goes on from that with more channels: for half as much time again no better on the validation faces.
    "both-wider-64-long": replace(
        _long, build=lambda: age_gender_cnn(SIZE, WIDER), optimizer=sgd(0.03, average=0.1), epochs=60
    ),
    # Goes on from "fairface" with all the pixels, more channels, and photographs of private albums, to the one released of FairFace.
    "fairface-wide-64-long": replace(_long, sources=("FairFace",), optimizer=sgd(0.06, average=0.1), epochs=60),
    # Begins (--start) with faceres.json.
    "both-mobilenet": _mobilenet,
    # Goes on from that with teachers, itself among them, and all of private albums.
    "both-mobilenet-long": _mobilenet_long,
    # Goes on from that with more pixels, taught by what it says at several sizes (--teacher-sizes 96 128).
    "both-mobilenet-112": _mobilenet_112,
    # Goes on from that with old prints: of the faces as they are it tells a little less, of scans more. What is released is the mean
    # (export.age_gender --mean) of what it began with and of its last epoch.
    "both-mobilenet-112-scanned": replace(_mobilenet_112, augmentation=SCANNED, epochs=38),
}
"""The recipes by name. Every epoch of the runs behind the released networks is in docs/results/age_gender_runs.json."""
