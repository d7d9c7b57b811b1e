"""FER-2013 is read in every form it is downloaded in, and no damaged copy passes for it."""

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.types import EMOTIONS
from synthetic import BLANK, write_csv, write_folders
from training.datasets import DataError, exact_repeats, near_duplicates
from training.emotion import data
from training.emotion.data import OFFICIAL_COUNTS, SPLITS, describe, flaws, is_blank, load_fer2013, rows_crc32


def error(path, official=False) -> str:
    """The message with which a data set is refused; every one says where to get the data."""
    with pytest.raises(DataError) as caught:
        load_fer2013(path, official)
    message = str(caught.value)
    assert message.endswith(data.WHERE) and "Kaggle" in data.WHERE and "FERPlus" in data.WHERE
    return message


def edit(path, change) -> None:
    """Rewrite a file by its lines; row N of the messages is lines[N - 1]."""
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines) or lines) + "\n")


def swap(lines, first, second) -> None:
    lines[first - 1], lines[second - 1] = lines[second - 1], lines[first - 1]


def same_faces(one, other) -> None:
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.splits, other.splits)


class TestForms:
    def test_kaggle_csv(self, csv_file, synthetic):
        for path in (csv_file, csv_file.parent):
            faces = load_fer2013(path, official=False)
            same_faces(faces, synthetic)
            np.testing.assert_array_equal(faces.votes, synthetic.votes)
            assert faces.images.dtype == faces.labels.dtype == faces.splits.dtype == faces.votes.dtype == np.uint8

    def test_icml_face_data_csv(self, csv_file, synthetic):
        def to_icml(lines):
            rows = [line.split(",") for line in lines[1:]]
            return ["emotion, Usage, pixels", *(f"{label},{usage},{pixels}" for label, pixels, usage in rows)]

        edit(csv_file, to_icml)
        csv_file.rename(csv_file.with_name("icml_face_data.csv"))
        faces = load_fer2013(csv_file.parent, official=False)
        same_faces(faces, synthetic)
        np.testing.assert_array_equal(faces.votes, synthetic.votes)

    def test_no_votes(self, csv_file):
        csv_file.with_name("fer2013new.csv").unlink()
        assert load_fer2013(csv_file, official=False).votes is None

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
    def test_folders_agree_with_csv(self, tmp_path, synthetic, suffix):
        faces = load_fer2013(write_folders(tmp_path, synthetic, suffix), official=False)
        # The order of the files: train before test, then by class, then by name.
        names = [f"{SPLITS[split]}_{index}{suffix}" for index, split in enumerate(synthetic.splits)]
        order = sorted(range(182), key=lambda i: (synthetic.splits[i] > 0, synthetic.labels[i], names[i]))
        expected = synthetic.select(np.array(order))
        np.testing.assert_array_equal(faces.labels, expected.labels)
        np.testing.assert_array_equal(faces.splits, expected.splits)
        difference = np.abs(faces.images.astype(int) - expected.images).mean()
        assert difference == 0 if suffix == ".png" else 0 < difference < 3

    def test_folders_without_split_in_names(self, tmp_path, synthetic):
        faces = load_fer2013(write_folders(tmp_path, synthetic, split_in_name=False), official=False)
        assert len(faces.split("Training")) == 140 and len(faces.split("Test")) == 42
        assert not len(faces.split("PublicTest", "PrivateTest"))

    def test_split_keeps_order_and_votes(self, synthetic):
        test = synthetic.split("PublicTest", "PrivateTest")
        np.testing.assert_array_equal(test.images, synthetic.images[140:])
        np.testing.assert_array_equal(test.votes, synthetic.votes[140:])


def rewritten(path, change) -> None:
    """Rewrite a csv by its rows, each a list of fields; row 0 is the header."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(change(rows) or rows)


def pandas_index(rows):
    return [["", *rows[0]], *([str(number), *row] for number, row in enumerate(rows[1:]))]


def r_index(rows):
    return [rows[0], *([str(number), *row] for number, row in enumerate(rows[1:], 1))]


KEPT_FORMS = {
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "Windows' ends of lines": lambda text: text.replace(b"\n", b"\r\n"),
    "ends of lines written twice": lambda text: text.replace(b"\n", b"\r\r\n"),
    "old Mac's ends of lines": lambda text: text.replace(b"\n", b"\r"),
    "empty lines at the end": lambda text: text + b"\r\n\n  \n",
    "rows of empty cells": lambda text: text + b"," * text.split(b"\n")[0].count(b",") + b"\n",
    "no last end of line": lambda text: text.rstrip(b"\n"),
    "semicolons": lambda text: text.replace(b",", b";"),
    "tabs": lambda text: text.replace(b",", b"\t"),
    "quotes": lambda text: re.sub(rb"[^,\n]+", rb'"\g<0>"', text),
    "quotes and blanks": lambda text: re.sub(rb"[^,\n]+", rb' "\g<0>" ', text),
    "mark and quotes": lambda text: b"\xef\xbb\xbf" + re.sub(rb"[^,\n]+", rb'"\g<0>"', text),
    "capitals in the header": lambda text: text.split(b"\n")[0].upper() + text[text.index(b"\n") :],
    "blanks in the header": lambda text: text.split(b"\n")[0].replace(b",", b" ,  ") + text[text.index(b"\n") :],
    "index of pandas": pandas_index,
    "two indices of pandas": lambda rows: pandas_index(pandas_index(rows)),
    "index of R": r_index,
    "other order": lambda rows: [row[::-1] for row in rows],
    "another column": lambda rows: [[*row[:1], f"note, {number}", *row[1:]] for number, row in enumerate(rows)],
}
"""What people's programs make of a csv: of its bytes, or, where the name says so, of its rows."""
OF_ROWS = ("index of pandas", "two indices of pandas", "index of R", "other order", "another column")


def keep(path, form) -> None:
    """Bring a csv into one of KEPT_FORMS."""
    if form in OF_ROWS:
        rewritten(path, KEPT_FORMS[form])
    else:
        path.write_bytes(KEPT_FORMS[form](path.read_bytes()))


class TestFormsThatPeopleKeep:
    @pytest.mark.parametrize("form", KEPT_FORMS)
    @pytest.mark.parametrize("name", ["fer2013.csv", "fer2013new.csv"])
    def test_the_faces_and_votes_are_the_same(self, csv_file, synthetic, name, form):
        before = csv_file.with_name(name).read_bytes()
        keep(csv_file.with_name(name), form)
        assert csv_file.with_name(name).read_bytes() != before
        faces = load_fer2013(csv_file, official=False)
        same_faces(faces, synthetic)
        np.testing.assert_array_equal(faces.votes, synthetic.votes)

    def test_pixels_with_other_blanks_between_them(self, csv_file, synthetic):
        def respace(lines):
            lines[7] = lines[7].replace(" ", "  ").replace(",Training", " ,Training")

        edit(csv_file, respace)
        same_faces(load_fer2013(csv_file, official=False), synthetic)

    def test_a_column_named_twice_is_refused(self, csv_file):
        rewritten(csv_file, lambda rows: [[row[0], *row] for row in rows])
        assert f"{csv_file}: row 1 does not name emotion, or more than once: it reads 'emotion, emotion" in error(
            csv_file
        )

    @pytest.mark.parametrize("form", ["index of pandas", "index of R", "semicolons"])
    def test_what_is_cut_off_is_told_as_ever(self, csv_file, form):
        keep(csv_file, form)
        csv_file.write_bytes(csv_file.read_bytes()[:-4000])
        assert f"{csv_file}: row 183 has " in error(csv_file)


BAD_ROWS = {
    "short row": (lambda row: row.rsplit(",", 1)[0], "2 fields instead of 3"),
    "too few pixels": (lambda row: row[0] + ",1 2 3,Training", "3 pixels instead of 2304"),
    "too many pixels": (lambda row: row.replace(",Training", " 0,Training"), "2305 pixels instead of 2304"),
    "pixel 256": (lambda row: re.sub(r" \d+ ", " 256 ", row, count=1), "outside 0 to 255"),
    "pixel -1": (lambda row: re.sub(r" \d+ ", " -1 ", row, count=1), "outside 0 to 255"),
    "fraction": (lambda row: re.sub(r" \d+ ", " 7.5 ", row, count=1), "whole numbers"),
    "word": (lambda row: re.sub(r" \d+ ", " NaN ", row, count=1), "whole numbers"),
    "huge number": (lambda row: re.sub(r" \d+ ", f" {10**30} ", row, count=1), "outside 0 to 255"),
    "no pixels": (lambda row: row[0] + ",,Training", "whole numbers"),
    "label 7": (lambda row: "7" + row[1:], "emotion is '7'"),
    "no label": (lambda row: row[1:], "emotion is ''"),
    "unknown Usage": (lambda row: row.replace("Training", "Testing"), "Usage is 'Testing'"),
}


class TestBadFiles:
    def test_missing_path(self, tmp_path):
        assert f"{tmp_path / 'nowhere'}: no such file or folder" in error(tmp_path / "nowhere")

    def test_folder_without_data(self, tmp_path):
        assert f"{tmp_path}: holds neither fer2013.csv" in error(tmp_path)

    @pytest.mark.parametrize("text", ["", "\n", "a,b,c\n", "pixels,emotion\n", "\0\1\2"])
    def test_wrong_header(self, tmp_path, text):
        path = tmp_path / "fer2013.csv"
        path.write_text(text)
        assert re.search(rf"^{re.escape(str(path))}: row 1 does not name .*Usage", error(path))

    def test_header_alone(self, tmp_path):
        path = tmp_path / "fer2013.csv"
        path.write_text("emotion,pixels,Usage\n")
        assert f"{path}: has no rows" in error(path)

    @pytest.mark.parametrize("kind", BAD_ROWS)
    def test_bad_row(self, csv_file, kind):
        change, words = BAD_ROWS[kind]

        def damage(lines):
            lines[39] = change(lines[39])

        edit(csv_file, damage)
        message = error(csv_file)
        assert re.search(rf"^{re.escape(str(csv_file))}: row 40\b", message) and words in message

    def test_binary_file(self, tmp_path):
        path = tmp_path / "fer2013.csv"
        path.write_bytes(b"x" * 200_000)  # longer than any field that the csv module reads
        assert f"{path}: row 1 cannot be read" in error(path)

    def test_unclosed_quote(self, csv_file):
        def damage(lines):
            lines[39] = '"' + lines[39]

        edit(csv_file, damage)
        assert re.search(r"row \d+ cannot be read .*field limit", error(csv_file))

    @pytest.mark.parametrize("cut", [1, 40, 4000])
    def test_truncated_within_a_row(self, csv_file, cut):
        content = csv_file.read_bytes()
        csv_file.write_bytes(content[: -cut - 1])
        message = error(csv_file)
        assert f"{csv_file}: row 183" in message and ("truncated" in message or "Usage is" in message)

    def test_command(self, run, csv_file, tmp_path):
        """The command of the module: status 1 and one message; with --unofficial it reports what there is."""
        refused = run("training.emotion.data", csv_file.parent)
        assert refused.returncode == 1 and refused.stdout == ""
        assert refused.stderr.startswith("error: ") and "Traceback" not in refused.stderr
        assert refused.stderr.count("error:") == 1 and data.WHERE in refused.stderr
        accepted = run("training.emotion.data", csv_file.parent, "--unofficial", "--json", tmp_path / "flaws.json")
        assert accepted.returncode == 0 and "Unique images: 182 of 182" in accepted.stdout
        assert json.loads((tmp_path / "flaws.json").read_text())["unique"] == 182


@pytest.fixture
def official(monkeypatch, synthetic):
    """The synthetic faces play the official ones, checked in blocks of 50 rows."""
    counts = {name: tuple(np.bincount(synthetic.split(name).labels, minlength=7).tolist()) for name in SPLITS[:3]}
    counts["Test"] = tuple(a + b for a, b in zip(counts["PublicTest"], counts["PrivateTest"]))
    monkeypatch.setattr(data, "CHECKED_ROWS", 50)
    monkeypatch.setattr(data, "OFFICIAL_COUNTS", counts)
    monkeypatch.setattr(data, "OFFICIAL_CRC32", tuple(rows_crc32(synthetic)))


@pytest.mark.usefixtures("official")
class TestOfficial:
    def test_accepted(self, csv_file, image_folders, synthetic):
        same_faces(load_fer2013(csv_file), synthetic)
        assert len(load_fer2013(image_folders)) == len(synthetic)

    def test_reordered_rows(self, csv_file):
        edit(csv_file, lambda lines: swap(lines, 60, 61))
        assert f"{csv_file}: rows 52 to 101 are not those of the official file" in error(csv_file, official=True)
        assert len(load_fer2013(csv_file, official=False)) == 182

    def test_altered_label(self, csv_file):
        def relabel(lines):
            lines[170] = str((int(lines[170][0]) + 1) % 7) + lines[170][1:]

        edit(csv_file, relabel)
        assert f"{csv_file}: rows 152 to 183 are not" in error(csv_file, official=True)

    def test_altered_pixel(self, csv_file):
        def darken(lines):
            lines[1] = re.sub(r" (\d+),", lambda last: f" {int(last[1]) ^ 1},", lines[1])

        edit(csv_file, darken)
        assert f"{csv_file}: rows 2 to 51 are not" in error(csv_file, official=True)

    def test_altered_split(self, csv_file):
        def move(lines):
            lines[141] = lines[141].replace("PublicTest", "PrivateTest")

        edit(csv_file, move)
        assert f"{csv_file}: rows 102 to 151 are not" in error(csv_file, official=True)

    @pytest.mark.parametrize("rows", [100, 120, 181])
    def test_truncated_between_rows(self, csv_file, rows):
        edit(csv_file, lambda lines: lines[: rows + 1])
        message = error(csv_file, official=True)
        assert f"{csv_file}: ends after row {rows + 1} with {rows} faces instead of 182" in message
        assert "truncated" in message and "--unofficial" in message

    def test_extra_row(self, csv_file):
        edit(csv_file, lambda lines: [*lines, lines[-1]])
        assert "are not those of the official file" in error(csv_file, official=True)

    def test_missing_image(self, image_folders):
        next((image_folders / "train" / "sad").iterdir()).unlink()
        message = error(image_folders, official=True)
        assert f"{image_folders / 'train' / 'sad'}: holds 19 faces instead of 20" in message
        assert len(load_fer2013(image_folders, official=False)) == 181

    def test_reordered_votes(self, csv_file):
        """Within a split only the image names show it."""
        votes = csv_file.with_name("fer2013new.csv")
        edit(votes, lambda lines: swap(lines, 60, 61))
        assert f"{votes}: row 61: 'fer0000058.png' stands after 'fer0000059.png'" in error(csv_file, official=True)
        assert load_fer2013(csv_file, official=False).votes is not None


class TestBadVotes:
    @pytest.fixture
    def votes(self, csv_file):
        return csv_file.with_name("fer2013new.csv")

    def test_wrong_header(self, csv_file, votes):
        edit(votes, lambda lines: swap(lines, 1, 2))
        assert f"{votes}: row 1 does not name Usage, Image name, neutral, happiness, " in error(csv_file)

    def test_too_short(self, csv_file, votes):
        edit(votes, lambda lines: lines[:101])
        assert f"{votes}: ends after 100 of 182 faces" in error(csv_file)

    def test_too_long(self, csv_file, votes):
        edit(votes, lambda lines: [*lines, lines[-1]])
        assert f"{votes}: row 184: there are more votes than the 182 faces" in error(csv_file)

    def test_reordered(self, csv_file, votes):
        edit(votes, lambda lines: swap(lines, 60, 183))
        assert f"{votes}: row 60: is 'PrivateTest' where the faces have Training" in error(csv_file)

    @pytest.mark.parametrize("vote", ["-1", "1.5", "", "x", "²", "256"])
    def test_bad_vote(self, csv_file, votes, vote):
        def damage(lines):
            lines[59] = lines[59].rsplit(",", 1)[0] + "," + vote

        edit(votes, damage)
        assert f"{votes}: row 60: does not hold ten whole numbers" in error(csv_file)

    def test_short_row(self, csv_file, votes):
        def damage(lines):
            lines[59] = lines[59].rsplit(",", 1)[0]

        edit(votes, damage)
        assert f"{votes}: row 60 has 11 fields instead of 12: the file is truncated" in error(csv_file)


class TestUnreadPictures:
    def test_they_are_counted_and_named(self, image_folders, caplog):
        train = image_folders / "train"
        (train / "contempt").mkdir()
        unread = [
            "train/contempt/1.png",
            "train/happy/2.webp",
            "train/happy/old/3.png",
            "train/sad/._4.png",
            "train/5.BMP",
        ]
        for name in unread:
            (image_folders / name).parent.mkdir(exist_ok=True)
            (image_folders / name).write_bytes(b"")
        (train / "happy" / "Thumbs.db").write_bytes(b"")
        assert len(load_fer2013(image_folders, official=False)) == 182
        (line,) = caplog.messages
        assert line.startswith(f"{image_folders}: pictures that are not read: 5, ")
        assert set(line.split(": 5, ")[1].split(", ")) == {str(Path(name)) for name in unread}

    def test_many_are_counted_and_some_named(self, image_folders, caplog):
        for number in range(100, 125):
            (image_folders / "test" / f"{number}.gif").write_bytes(b"")
        load_fer2013(image_folders, official=False)
        (line,) = caplog.messages
        assert "not read: 25, " in line and line.endswith(f"{Path('test', '119.gif')} and 5 more")

    def test_nothing_is_said_where_all_are_read(self, image_folders, caplog):
        load_fer2013(image_folders, official=False)
        assert caplog.messages == []


class TestBadFolders:
    @pytest.fixture
    def image(self, image_folders):
        return next((image_folders / "test" / "fear").glob("*.png"))

    @pytest.mark.parametrize("folder", ["train/disgust", "test/neutral"])
    @pytest.mark.parametrize("keep", [True, False])
    def test_class_folder(self, image_folders, folder, keep):
        """A class folder that is empty, or missing altogether."""
        for file in (image_folders / folder).iterdir():
            file.unlink()
        if not keep:
            (image_folders / folder).rmdir()
        assert f"{image_folders / folder}: is missing or holds no jpg or png" in error(image_folders)

    def test_half_is_missing(self, image_folders):
        (image_folders / "test").rename(image_folders / "tests")
        assert f"{image_folders / 'test' / 'angry'}: is missing" in error(image_folders)

    def test_wrong_size(self, image_folders, image):
        cv2.imwrite(str(image), np.zeros((48, 64), np.uint8))
        assert f"{image}: is 64x48, not 48x48" in error(image_folders)

    @pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"])
    def test_unreadable(self, image_folders, image, content):
        image.write_bytes(content)
        assert f"{image}: cannot be read" in error(image_folders)


def shifted(image):
    return cv2.warpAffine(image, np.array([[1.0, 0, 1], [0, 1, -1]]), (48, 48), borderMode=cv2.BORDER_REPLICATE)


def brightened(image):
    return (image * 0.7 + 60).astype(np.uint8)


def as_jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)


class TestTwins:
    @pytest.mark.parametrize("change", [shifted, brightened, as_jpeg])
    def test_altered_copies_are_found(self, synthetic, change):
        originals = synthetic.images[~is_blank(synthetic.images)]
        copies = np.stack([change(image) for image in originals])
        assert not exact_repeats(copies, originals).any()
        assert near_duplicates(copies, originals).mean() > 0.97

    def test_other_faces_are_not(self, synthetic):
        """Not even those of the same class."""
        assert not near_duplicates(synthetic.images[140:], synthetic.images[:140]).any()
        assert not near_duplicates(255 - synthetic.images, synthetic.images).any()

    def test_which_one_is_marked(self, synthetic):
        images = np.concatenate([synthetic.images[140:150], brightened(synthetic.images[7:8]), synthetic.images[150:]])
        assert np.flatnonzero(near_duplicates(images, synthetic.images[:140])).tolist() == [10]

    def test_threshold(self, synthetic):
        assert near_duplicates(synthetic.images[140:], synthetic.images[:140], cosine=-1).all()

    def test_blank_images_have_no_twin(self):
        blank = np.full((3, 48, 48), 128, np.uint8)
        assert near_duplicates(blank, blank).tolist() == [False] * 3

    def test_no_images(self, synthetic):
        none = synthetic.images[:0]
        assert near_duplicates(none, synthetic.images).shape == exact_repeats(none, synthetic.images).shape == (0,)

    def test_exact_repeats(self, synthetic):
        images = synthetic.images[[0, 141, 3]].copy()
        images[2, 20, 20] ^= 1
        assert exact_repeats(images, synthetic.images[:140]).tolist() == [True, False, False]

    def test_is_blank(self, synthetic):
        assert np.flatnonzero(is_blank(synthetic.images)).tolist() == [BLANK]
        almost = np.full((1, 48, 48), 9, np.uint8)
        assert is_blank(almost).tolist() == [True]
        almost[0, 47, 47] = 10
        assert is_blank(almost).tolist() == [False]

    def test_description(self, synthetic):
        """Planted: a blank, a repeat with another label, one with the same label, a near twin."""
        images, labels = synthetic.images.copy(), synthetic.labels.copy()
        images[150], labels[150] = images[0], (labels[0] + 1) % 7
        images[151], labels[151] = images[2], labels[2]
        images[170] = brightened(images[1])
        faces = data.Faces(images, labels, synthetic.splits)
        report = describe(faces, flaws(faces))
        assert f"Blank images (one constant grey): 1, at index {BLANK}\n" in report
        assert "Unique images: 180 of 182" in report
        assert "Groups of identical images with different labels: 1\n" in report
        assert "PublicTest: 2 images stand in Training exactly; 2 have a near-duplicate" in report
        assert "PrivateTest: 0 images stand in Training exactly; 1 have a near-duplicate" in report
        assert "FERPlus votes: none" in report
        assert re.search(r"^Training( +20 / [\d,]+){7} +140 / 28,709$", report, re.MULTILINE)


class TestRealData:
    def test_counts(self, fer2013):
        assert len(fer2013) == 35_887
        for name in SPLITS[:3]:
            assert np.bincount(fer2013.split(name).labels).tolist() == list(OFFICIAL_COUNTS[name])
        assert not len(fer2013.split("Test"))
        assert OFFICIAL_COUNTS["Test"] == (958, 111, 1024, 1774, 1247, 831, 1233)

    def test_votes(self, fer2013):
        """Votes and labels belong to the same faces: most faces called happy got most votes for happiness."""
        if fer2013.votes is None:
            pytest.skip("set FER2013_DIR to a folder that also holds fer2013new.csv")
        happy = fer2013.votes[fer2013.labels == EMOTIONS.index("happy")]
        assert (happy.argmax(axis=1) == data.VOTES.index("happiness")).mean() > 0.9

    def test_known_flaws(self, fer2013):
        found = flaws(fer2013)
        report = describe(fer2013, found)
        assert "Blank images (one constant grey): 12," in report
        assert "Unique images: 34,034 of 35,887" in report
        assert "Groups of identical images with different labels: 57\n" in report
        assert "PublicTest: 280 images stand in Training exactly" in report
        assert "PrivateTest: 288 images stand in Training exactly; 565 have a near-duplicate" in report
        kept = Path(__file__).resolve().parent.parent / "docs" / "results" / "fer2013.json"
        assert json.loads(kept.read_text()) == found

    def test_conflicts_counted_another_way(self, fer2013):
        labels = defaultdict(set)
        for image, label in zip(fer2013.images, fer2013.labels):
            labels[image.tobytes()].add(int(label))
        assert len(labels) == 34_034 and sum(len(found) > 1 for found in labels.values()) == 57

    def test_both_forms_agree(self, fer2013, tmp_path):
        """A few faces of every class and split, written out as folders and as a csv."""
        chosen = [
            np.flatnonzero((fer2013.splits == split) & (fer2013.labels == label))[:6]
            for split in range(3)
            for label in range(7)
        ]
        faces = fer2013.select(np.sort(np.concatenate(chosen)))
        without_votes = data.Faces(faces.images, faces.labels, faces.splits)
        from_csv = load_fer2013(write_csv(tmp_path / "csv", without_votes), official=False)
        from_folders = load_fer2013(write_folders(tmp_path / "folders", faces), official=False)
        same_faces(from_csv, faces)

        def as_set(found):
            return {(i.tobytes(), int(k), int(s)) for i, k, s in zip(found.images, found.labels, found.splits)}

        assert as_set(from_folders) == as_set(faces) and len(from_folders) == len(faces) == 126
