"""What the command line writes takes the place of nothing else, and is put in place in one step."""

import json
import os
import shutil
import signal
from argparse import Namespace
from pathlib import Path

import pytest
from PIL import Image

from clips import write_face_clip
from inference import __main__ as command_line
from inference.outputs import create, same_name, uninterrupted

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PHOTO = (EXAMPLES / "astronaut.jpg").read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder: photos and other files under all kinds of names."""
    monkeypatch.chdir(tmp_path)
    for name in ("1.jpg", "2.jpg", "3.JPEG", "album/1.jpg", "album/deep/4.png", "other/1.jpg", "plain", "raw.cr2"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(PHOTO)
    Path("clip.mp4").write_bytes(b"a film")
    Path("film.mp4").write_bytes(b"another film")
    Path("notes.txt").write_text("notes")
    Path("table.csv").write_text("name,age\nfile,face\n")
    Path("data.json").write_text('[\n  {"name": "x"}\n]\n')
    os.link("1.jpg", "hard")
    Path("soft").symlink_to("1.jpg")
    Path("link").symlink_to("album")
    Path("report").symlink_to("not yet")
    Path("empty").mkdir()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refused(call, capsys, folder, monkeypatch):
    """A function that calls the command, which must refuse it as wrong usage before any work; gives the sentence."""

    def work(*_):
        raise AssertionError("work was begun")

    monkeypatch.setattr(command_line, "Networks", work)
    monkeypatch.setattr(command_line, "Processes", work)

    def run(*arguments, status: int = 2) -> str:
        before = contents(folder)
        try:
            found = call(command_line.main, *arguments)
        except SystemExit as end:
            found = end.code
        assert found == status and contents(folder) == before
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
        return line.partition("error: ")[2]

    return run


@pytest.mark.parametrize("option", ["--csv", "--json"])
class TestReports:
    def test_what_a_shell_makes_of_a_star(self, refused, option):
        """The first photo stands where the report's name should."""
        assert "this is the name of a photo or video" in refused(option, "1.jpg", "2.jpg", "3.JPEG")
        assert "this is the name of a photo or video" in refused(option, "3.JPEG", "2.jpg")
        assert "this is the name of a photo or video" in refused(option, "clip.mp4", "film.mp4")
        for first in ("raw.cr2", "notes.txt", "plain", "table.csv", "data.json"):
            assert f"{option} would overwrite {first}, which this command did not write" in refused(
                option, first, "2.jpg"
            )

    @pytest.mark.parametrize(
        "name", ["hard", "soft", "link/../1.jpg", "./album/../hard", "new.PNG", "new.heic", "new.MOV"]
    )
    def test_the_name_of_a_source_or_of_a_photo(self, refused, option, name):
        sentence = refused(option, name, "1.jpg")
        assert f"{option} would overwrite 1.jpg, which is to be read" in sentence or "name of a photo" in sentence

    def test_a_source_without_a_suffix(self, refused, option):
        assert f"{option} would overwrite plain, which is to be read" in refused(option, "plain", "plain")
        assert f"{option} would overwrite missing, which is to be read" in refused(option, "missing", "missing")

    def test_a_source_within_a_folder(self, refused, option, folder):
        (folder / "within").symlink_to("album/deep/4.png")
        assert f"would overwrite {Path('album/deep/4.png')}, which is to be read" in refused(option, "within", "album")

    def test_a_folder(self, refused, option):
        assert refused(option, "empty", "1.jpg", status=1).startswith("cannot write empty: Is a directory")
        assert refused(option, "link", "1.jpg", status=1).startswith("cannot write link: Is a directory")
        assert "the name of a folder" in refused(option, "new/", "1.jpg")

    def test_an_empty_name(self, refused, option):
        assert "an empty name" in refused(option, "", "1.jpg")

    def test_the_name_of_the_annotated_copies(self, refused, option):
        assert f"{option} would write a file boxes, where --annotate needs a folder" in refused(
            option, "boxes", "1.jpg", "--annotate", "boxes"
        )


@pytest.mark.parametrize(
    "names",
    [("o", "o"), ("o", "./o"), ("o", "O"), ("\u00fc", "u\u0308"), ("stra\u00dfe", "STRASSE"), ("report", "not yet")],
)
def test_two_reports_of_one_name_are_refused(refused, names):
    assert "--json and --csv would both write " in refused("1.jpg", "--csv", names[0], "--json", names[1])


def test_two_reports_into_a_device_are_not(folder):
    device = Path(os.devnull)
    arguments = Namespace(json=device, csv=device, parquet=None, resume=False)
    command_line.check_outputs(command_line.planned_outputs(arguments, (), []), [])


class TestCopies:
    @pytest.mark.parametrize("folder_name", [".", "album/..", "link/.."])
    def test_a_copy_that_would_be_a_source(self, refused, folder_name):
        assert "--annotate would overwrite 1.jpg, which is to be read" in refused("1.jpg", "--annotate", folder_name)

    def test_a_copy_that_would_be_another_photo(self, refused):
        for name in ("other", "album", "link"):
            assert f"would overwrite {Path(name, '1.jpg')}, which this command did not write" in refused(
                "1.jpg", "--annotate", name
            )

    def test_a_copy_that_would_be_another_source(self, refused):
        assert f"would overwrite {Path('album/1.jpg')}, which is to be read" in refused(
            "1.jpg", "album", "--annotate", "link"
        )

    @pytest.mark.parametrize("name", ["out.png", "out.JPG", "new.mov", "faces.csv", "faces.json", "2.jpg"])
    def test_a_file_where_a_folder_should_be(self, refused, name):
        assert "--annotate" in (sentence := refused("1.jpg", "--annotate", name)) and "name of a file" in sentence

    @pytest.mark.parametrize("name", ["out.mp4", "OUT.MP4", "Out.Mp4"])
    def test_a_video_for_photos_or_for_several_files(self, refused, name):
        for sources in (["1.jpg"], ["1.jpg", "clip.mp4"], ["clip.mp4", "film.mp4"], ["album"]):
            assert "--annotate FILE.mp4 is for one video" in refused(*sources, "--annotate", name)

    def test_a_video_over_another(self, refused, folder):
        assert "would overwrite film.mp4, which this command did not write" in refused(
            "clip.mp4", "--annotate", "film.mp4"
        )
        assert "would overwrite clip.mp4, which is to be read" in refused("clip.mp4", "--annotate", "clip.mp4")
        (folder / "same.MP4").hardlink_to(folder / "clip.mp4")
        assert "would overwrite clip.mp4, which is to be read" in refused("clip.mp4", "--annotate", "same.MP4")

    def test_two_copies_through_links_in_one_folder(self, refused, folder):
        (folder / "boxes" / "album").mkdir(parents=True)
        (folder / "boxes" / "other").symlink_to("album")
        assert f"--annotate and --annotate would both write {Path('boxes/other/1.jpg')}" in refused(
            "album", "other", "--annotate", "boxes"
        )

    def test_a_copy_where_another_needs_a_folder(self, refused, folder):
        (folder / "album").rename("album.jpg")
        Path("in").mkdir()
        Path("in/album.jpg").write_bytes(PHOTO)
        assert "where --annotate needs a folder" in refused("album.jpg", "in/album.jpg", "--annotate", "boxes")


def test_earlier_results_are_replaced_and_their_other_links_kept(call, folder, capsys):
    arguments = ("1.jpg", "--csv", "f.csv", "--json", "f.json", "--annotate", "boxes")
    assert call(command_line.main, *arguments) == 0
    earlier = contents(folder)
    written = ("f.csv", "f.json", os.path.join("boxes", "1.jpg"))
    for number, name in enumerate(written):
        os.link(name, f"kept {number}")
    Path("1.jpg").unlink()  # it has another link
    Image.new("RGB", (320, 240), "gray").save("1.jpg")
    assert call(command_line.main, *arguments) == 0
    assert [Path(f"kept {number}").read_bytes() for number in range(3)] == [earlier[name] for name in written]
    assert all(Path(name).read_bytes() != earlier[name] for name in written)
    assert json.loads(Path("f.json").read_text())[0]["faces"] == []
    with Image.open("boxes/1.jpg") as copy, Image.open("1.jpg") as source:
        assert copy.size == source.size
    assert [name for name in contents(folder) if "partial" in name] == []


def test_an_earlier_copy_of_a_video_is_replaced(call, folder, capsys):
    clip = write_face_clip(folder / "face.mp4", [number / 25 for number in range(10)])
    for _ in range(2):
        assert call(command_line.main, clip, "--annotate", "OUT.MP4") == 0
    assert Path("OUT.MP4").is_file() and not Path("OUT.MP4.mp4").exists()


def test_a_photo_named_as_a_video_is_not_written_as_one(call, folder, capsys):
    shutil.copy("1.jpg", "named.mp4")
    assert call(command_line.main, "named.mp4", "--annotate", "out.mp4") == 1
    assert "named.mp4: no annotated copy: this is a photo" in capsys.readouterr().err and not Path("out.mp4").exists()


class TestCreate:
    def test_the_old_file_stays_until_the_new_one_is_there(self, tmp_path, monkeypatch):
        path = tmp_path / "file"
        path.write_text("old")

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError) as caught:
            create(path, b"new")
        assert caught.value.filename == str(path)
        assert contents(tmp_path) == {"file": b"old"}

    def test_it_goes_on_after_the_beginning(self, tmp_path):
        with create(tmp_path / "file", b"begin") as file:
            file.write(b"ning")
        assert contents(tmp_path) == {"file": b"beginning"}

    def test_a_link_stays_and_its_file_keeps_its_mode(self, tmp_path):
        (tmp_path / "file").write_text("old")
        (tmp_path / "file").chmod(0o640)
        (tmp_path / "link").symlink_to("file")
        create(tmp_path / "link", b"new").close()
        assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640

    def test_a_new_file_has_the_usual_mode(self, tmp_path):
        (tmp_path / "usual").write_text("")
        create(tmp_path / "new").close()
        assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_names_that_are_one_on_some_disks():
    assert same_name("Gr\u00fc\u00dfe.JPG") == same_name("GRU\u0308SSE.jpg") != same_name("Grusse.jpg")


def test_no_room_is_told_before_the_work(call, folder, capsys, monkeypatch):
    """Nothing of an earlier report is lost either."""
    Path("f.csv").write_text("file,face,x1\n")
    (folder / "taken").write_text("a file")
    monkeypatch.setattr(command_line.Run, "file", lambda *_: pytest.fail("work was begun"))
    assert call(command_line.main, "1.jpg", "--csv", "f.csv", "--annotate", "taken") == 1
    assert capsys.readouterr().err.startswith("error: cannot write taken: File exists")
    assert call(command_line.main, "1.jpg", "--csv", "f.csv", "--json", "none/f.json") == 1
    assert capsys.readouterr().err.startswith("error: cannot write none/f.json: No such file")
    assert Path("f.csv").read_text() == "file,face,x1\n"


def test_an_interruption_waits_for_what_is_being_written():
    done, before = [], signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            with uninterrupted():  # as for the last rows of a file
                signal.raise_signal(signal.SIGINT)
                done.append("written")
            done.append("in place")
        assert done == ["written", "in place"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
