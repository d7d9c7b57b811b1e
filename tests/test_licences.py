"""What serving needs: each package's licence is one of those that are allowed, and the lock file holds what the requirements ask."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = re.compile(
    r"MIT(-0|-CMU)?|(0BSD|[\w-]*BSD[\w-]*|3-Clause BSD)( License)?|Apache[- ](Software License|2\.0|License 2\.0)|ISC( License \(ISCL\))?|"
    r"MIT License|PSF-2\.0|Python Software Foundation License|MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)|Zlib|CC0-1\.0"
)


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def licences() -> dict[str, list[str]]:
    """What each installed package that serving needs says of its licence, by name."""
    wanted, found = [needed for needed in requirements("requirements.txt") if applies(needed)], {}
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # the other build of ONNX Runtime, say
            continue
        about = package.metadata
        classifiers = [
            line.split(" :: ")[-1] for line in about.get_all("Classifier", []) if line.startswith("License ::")
        ]
        named = [about["License-Expression"]] if about["License-Expression"] else classifiers
        named = named or [(about["License"] or "").split("\n")[0]]
        found[name] = [
            part.strip(" ()") if part.count("(") != part.count(")") else part.strip()
            for entry in named
            for part in re.split(r" AND | OR ", entry)
        ]
        wanted += [needed for needed in map(Requirement, package.requires or []) if applies(needed)]
    return found


def test_all_packages_that_serving_needs_are_under_allowed_licences():
    found = licences()
    assert {"gradio", "mediapipe", "av", "pillow-heif", "h11"} <= found.keys()
    wrong = {name: named for name, named in found.items() if not all(map(ALLOWED.fullmatch, named))}
    assert wrong == {}


@pytest.mark.parametrize(
    "named", ["GPL-3.0-or-later", "AGPL-3.0", "LGPL-2.1", "GNU General Public License", "", "Proprietary"]
)
def test_other_licences_are_not_allowed(named):
    assert not ALLOWED.fullmatch(named)


def test_notice_names_every_wheel_that_bundles_a_copyleft_library():
    """By the names of the files beside each package."""
    copyleft = re.compile(r"lib(x26[45]|heif|de265|mp3lame|gnutls|nettle|gmp|Qt5Core|avcodec)[-.]")
    folders = {
        file.parent for name in licences() for file in distribution(name).files or () if ".libs" in str(file.parent)
    }
    site = Path(distribution("pillow").locate_file(""))
    bundling = {
        str(folder).removesuffix(".libs").replace("_", "-")
        for folder in folders
        if any(copyleft.match(file.name) for file in (site / folder).iterdir())
    }
    notice = (ROOT / "NOTICE").read_text("utf-8")
    assert {name for name in bundling if not re.search(rf"\b{name}\b", notice)} == set()


@pytest.mark.parametrize("name", ["requirements", "requirements-gpu"])
def test_the_lock_file_holds_what_the_requirements_ask_for(name):
    text = (ROOT / f"{name}.lock").read_text("utf-8")
    entries = [
        Requirement(line.rstrip(" \\")) for line in text.splitlines() if line and not line.startswith((" ", "#"))
    ]
    held = {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in entries}
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(entries) > 50
    for needed in requirements("requirements.txt"):
        assert needed.specifier.contains(held[canonicalize_name(needed.name)]), needed
