"""FairFace and UTKFace are read as they are published, and nothing of the test parts gets into training."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.types import AGES, GENDERS, Detection
from synthetic import write_picture
from test_emotion_data import KEPT_FORMS, keep
from training.age_gender import data as demographics
from training.age_gender.data import (
    AGE_GROUPS,
    PARTS,
    RACES,
    SIZE,
    SOURCES,
    DemographicsError,
    central,
    load_portraits,
    main,
    parse_utkface_name,
    part_of,
    repeats,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("23_1_0_20170116214320.jpg", (23, "female", "White")),
        ("100_0_3_20170112215240346.jpg", (100, "male", "Indian")),
        ("1_1_4_20161219140530307.jpg.chip.jpg", (1, "female", "Others")),
        ("61_1_20170109150557335.jpg", (61, "female", "not stated")),
        ("24_0_1_20170116220224657 .jpg", (24, "male", "Black")),
        ("55_0_0_20170116232725357jpg.chip.jpg", (55, "male", "White")),
        ("121_0_0_20170116214320.jpg", None),
        ("23_2_0_20170116214320.jpg", None),
        ("23_1_5_20170116214320.jpg", None),
        ("23_1_0.jpg", None),
        ("portrait.jpg", None),
    ],
)
def test_names_of_utkface(name, expected):
    assert parse_utkface_name(name) == expected


@pytest.fixture(scope="module")
def portraits(demographics_dirs, demographics_arguments):
    return load_portraits(*demographics_dirs, demographics_arguments[-1])[0]


class TestLoading:
    def test_labels(self, portraits, demographics_dirs):
        assert len(portraits) == 336 and portraits.images.shape == (336, SIZE, SIZE, 3)
        fairface = portraits.select(portraits.sources == SOURCES.index("FairFace"))
        rows = (demographics_dirs[0] / "fairface_label_train.csv").read_text().splitlines()[1:]
        for row, index in zip(rows[:20], range(20)):
            file, age, gender, race, _ = row.split(",")
            assert fairface.paths[index] == str(demographics_dirs[0] / file)
            assert (fairface.first_years[index], fairface.last_years[index]) == AGE_GROUPS[age]
            assert GENDERS[fairface.genders[index]] == gender.lower() and RACES[fairface.races[index]] == race
            assert list(AGE_GROUPS)[fairface.age_groups[index]] == age
        utkface = portraits.select(portraits.sources == SOURCES.index("UTKFace"))
        for index in range(20):
            age, gender, _ = parse_utkface_name(Path(utkface.paths[index]).name)
            assert utkface.first_years[index] == utkface.last_years[index] == age
            assert GENDERS[utkface.genders[index]] == gender
        # The colour above tells the gender: the crops and the labels belong together, and they are RGB.
        upper = portraits.images[:, : SIZE // 4].mean(axis=(1, 2))
        assert ((upper[:, 2] > upper[:, 0]) == (portraits.genders == GENDERS.index("female"))).all()

    def test_parts(self, portraits, demographics_dirs):
        fairface = portraits.part("test", "FairFace")
        assert len(fairface) == 36 and all(f"{os.sep}val{os.sep}" in path for path in fairface.paths)
        utkface = portraits.select(portraits.sources == SOURCES.index("UTKFace"))
        assert 0.1 < (utkface.parts == PARTS.index("test")).mean() < 0.3
        assert len(portraits.part("validation", "FairFace")) and len(portraits.part("validation", "UTKFace"))
        assert sum(len(portraits.part(part)) for part in PARTS) == len(portraits)

    def test_a_picture_keeps_its_part(self, portraits, demographics_dirs, tmp_path):
        """Whatever else is in the folder."""
        kept = sorted((demographics_dirs[1] / "UTKFace").iterdir())[::2]
        for path in kept:
            shutil.copy(path, tmp_path)
        alone, _ = load_portraits(None, tmp_path, tmp_path / "crops")
        parts = {Path(path).name: part for path, part in zip(portraits.paths, portraits.parts)}
        assert len(alone) == len(kept)
        assert all(parts[Path(path).name] == part for path, part in zip(alone.paths, alone.parts))

    def test_identical_pictures_never_straddle_the_split(self, portraits, demographics_dirs, tmp_path):
        """Copies under other names, ages and file formats of a test picture stay test pictures."""
        tested = portraits.part("test", "UTKFace").paths[:3]
        folder = shutil.copytree(demographics_dirs[1], tmp_path / "utkface") / "UTKFace"
        for number, path in enumerate(tested):
            shutil.copy(path, folder / f"77_0_0_2019010100000{number}.jpg")
            Path(folder / f"77_1_0_2019010100000{number}.jpg").write_bytes(Path(path).read_bytes() + b"\0")
        again, _ = load_portraits(None, tmp_path / "utkface", tmp_path / "crops")
        copies = again.select(np.array([Path(path).name.startswith("77_") and "2019" in path for path in again.paths]))
        assert len(copies) == 6 and (copies.parts == PARTS.index("test")).all()
        assert repeats(again) == (6, 0)

    def test_a_test_picture_of_fairface_is_not_trained_on(self, demographics_dirs, tmp_path):
        folder = shutil.copytree(demographics_dirs[0], tmp_path / "fairface")
        shutil.copy(folder / "val" / "3.jpg", folder / "train" / "5.jpg")
        portraits, skipped = load_portraits(folder, None, tmp_path / "crops")
        assert len(portraits) == 215 and repeats(portraits)[1] == 0
        assert len(skipped) == 1 and "5.jpg: skipped, because the same picture is for testing" in skipped[0]

    def test_bad_pictures_and_names_are_told(self, demographics_dirs, tmp_path, call, capsys):
        folder = shutil.copytree(demographics_dirs[1], tmp_path / "utkface") / "UTKFace"
        shutil.copy(next(folder.iterdir()), folder / "somebody.jpg")
        (folder / "30_0_0_20170101.jpg").write_bytes(b"no picture")
        assert call(main, "--utkface", tmp_path / "utkface", "--crops", tmp_path / "crops") == 0
        printed = capsys.readouterr().out
        assert "UTKFace: 120 faces" in printed and "2 pictures skipped" in printed
        assert "somebody.jpg: skipped, because its name" in printed
        assert "30_0_0_20170101.jpg: skipped, because it cannot be read" in printed

    def test_the_cache_is_used_and_minds_changes(self, demographics_dirs, tmp_path, monkeypatch):
        folder = shutil.copytree(demographics_dirs[1], tmp_path / "utkface")
        first, _ = load_portraits(None, folder, tmp_path / "crops")
        with monkeypatch.context() as patch:
            patch.setattr(demographics, "_find_and_crop", lambda paths: pytest.fail("the cache was not used"))
            again, _ = load_portraits(None, folder, tmp_path / "crops")
        np.testing.assert_array_equal(first.images, again.images)
        write_picture(folder / "UTKFace" / "40_0_0_20200101.jpg", np.zeros((96, 96, 3), np.uint8))
        assert len(load_portraits(None, folder, tmp_path / "crops")[0]) == 121


def test_shares_of_the_parts():
    values = np.random.default_rng(0).integers(0, 2**63, 4000)
    parts = [part_of(value, "UTKFace") for value in values]
    assert parts.count("test") / 4000 == pytest.approx(0.2, abs=0.02)
    assert parts.count("validation") / 4000 == pytest.approx(0.8 / 16, abs=0.012)
    assert {part_of(value, "FairFace") for value in values} == {"training", "validation"}


def test_the_face_in_the_middle_is_the_labelled_one():
    aside, middle = (Detection((x, 20, x + 40, 60), 0.9, (x + 10, 35), (x + 30, 35)) for x in (0, 30))
    assert central([aside, middle], (96, 96, 3)) is middle and central([], (96, 96, 3)) is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "fairface_label_val.csv").unlink(), "fairface_label_val.csv: no such file"),
        (lambda root: (root / "fairface_label_val.csv").write_text("file,age\n"), "row 1 does not name gender, race"),
        (
            lambda root: (root / "fairface_label_val.csv").write_text(
                "file,age,gender,race\nval/1.jpg,5-9,Male,White\n"
            ),
            "row 2: '5-9', 'Male', 'White' are not",
        ),
        (lambda root: shutil.rmtree(root / "train") or shutil.rmtree(root / "val"), "None of the 216 pictures"),
    ],
)
def test_what_is_wrong_with_fairface_is_told(spoil, message, demographics_dirs, tmp_path, call, capsys):
    folder = shutil.copytree(demographics_dirs[0], tmp_path / "fairface")
    spoil(folder)
    assert call(main, "--fairface", folder, "--crops", tmp_path / "crops") == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("form", KEPT_FORMS)
def test_fairface_in_forms_that_people_keep(form, demographics_dirs, tmp_path):
    """The rows are the same, up to the folder."""
    folder = tmp_path / "fairface"
    folder.mkdir()
    for part in ("train", "val"):
        shutil.copy(demographics_dirs[0] / f"fairface_label_{part}.csv", folder)
        (folder / part).symlink_to(demographics_dirs[0] / part)
        keep(folder / f"fairface_label_{part}.csv", form)
    expected, _ = demographics._fairface_rows(demographics_dirs[0])
    found, skipped = demographics._fairface_rows(folder)
    assert len(found) == 216 and skipped == []
    assert [replace(row, path=row.path.relative_to(folder)) for row in found] == [
        replace(row, path=row.path.relative_to(demographics_dirs[0])) for row in expected
    ]


def test_pictures_that_are_not_read_are_counted_and_named(demographics_dirs, tmp_path, call, capsys):
    fairface, utkface = (shutil.copytree(folder, tmp_path / folder.name) for folder in demographics_dirs)
    first = next((utkface / "UTKFace").glob("*.jpg"))
    (utkface / "UTKFace" / "part1").mkdir()
    unread = [
        *(fairface / "train" / "copy of 1.jpg", fairface / "val" / "1.webp"),
        *(first.with_suffix(".PNG"), first.with_suffix(".JPG"), first.parent / "part1" / first.name),
    ]
    for path in unread:
        shutil.copy(first, path)
    assert call(main, "--fairface", fairface, "--utkface", utkface, "--crops", tmp_path / "crops") == 0
    out = capsys.readouterr().out
    assert "5 pictures skipped" in out and all(f"{path}: skipped, because " in out for path in unread)


def test_no_data(tmp_path, call, capsys):
    assert call(main, "--crops", tmp_path) == 1
    assert "Neither a folder of FairFace nor one of UTKFace" in capsys.readouterr().err
    with pytest.raises(DemographicsError, match="holds no jpg named age_gender_race_date.jpg"):
        load_portraits(None, tmp_path, tmp_path)


def test_the_published_data_sets(tmp_path):
    """Names, labels and pictures of the first faces of both: the detector finds nearly all of them."""
    folders = {name: os.environ.get(f"{name.upper()}_DIR") for name in SOURCES}
    for name, folder in folders.items():
        if not folder:
            pytest.skip(f"set {name.upper()}_DIR to a folder with {name}")
    fairface, utkface = (Path(folder) for folder in folders.values())
    for part in ("train", "val"):
        lines = (fairface / f"fairface_label_{part}.csv").read_text().splitlines()
        (tmp_path / f"fairface_label_{part}.csv").write_text("\n".join(lines[:101]) + "\n")
        (tmp_path / part).mkdir()
        for name in (line.partition(",")[0] for line in lines[1:101]):
            (tmp_path / name).symlink_to(fairface / name)
    (tmp_path / "UTKFace").mkdir()
    for path in sorted((utkface / "UTKFace").glob("2*.jpg"))[:100]:
        (tmp_path / "UTKFace" / path.name).symlink_to(path)
    portraits, skipped = load_portraits(tmp_path, tmp_path, tmp_path / "crops")
    assert len(portraits) == 300 and skipped == []
    assert portraits.found.mean() > 0.93
    utkface_years = portraits.first_years[200:]
    assert utkface_years.min() >= 2 and utkface_years.max() < 30 and portraits.last_years.max() <= AGES - 1
