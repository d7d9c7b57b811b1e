"""The recipes of docs/batch.md, run as they stand there where their framework is installed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
import pytest
from PIL import Image

from inference.batch import AnalyzePhotos

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "batch.md").read_text("utf-8")
RECIPES = dict(re.findall(r"^###? ([^\n]+)\n(?:(?!^#).)*?^```python\n(.*?)^```", PAGE, re.M | re.S))


@pytest.mark.parametrize(
    ("name", "module"),
    [("On a cluster", "pyarrow"), ("Ray Data", "ray.data"), ("Daft", "daft"), ("Spark", "pyspark.sql")],
)
def test_a_recipe_gives_what_the_function_gives(tmp_path, name, module):
    pytest.importorskip(module, reason=f"{name} is not installed, which nothing here needs")
    if name == "Spark" and shutil.which("java") is None:
        pytest.skip("Java, which Spark needs, is not installed, which nothing here needs")
    (tmp_path / "photos").mkdir()
    photos = [tmp_path / "photos" / f"{number}.jpg" for number in ("one", "two", "three")]
    with Image.open(ROOT / "examples" / "astronaut.jpg") as photo:
        for size, path in enumerate(photos[:2]):
            photo.resize((240 + 20 * size,) * 2).save(path)
    photos[2].write_bytes(b"no photo")
    (tmp_path / "recipe.py").write_text(RECIPES[name])
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "DAFT_ANALYTICS_ENABLED": "0"}
    environment["PYSPARK_PYTHON"] = sys.executable  # of the workers
    done = subprocess.run(
        [sys.executable, "recipe.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (written,) = tmp_path.glob("faces*")
    found = {Path(row["path"]).name: row for row in pyarrow.dataset.dataset(written).to_table().to_pylist()}
    expected = AnalyzePhotos("path")(pyarrow.table({"path": [str(path) for path in photos]})).to_pylist()
    assert set(found) == ({path.name for path in photos} if name != "On a cluster" else {"one.jpg", "two.jpg"})
    for row in expected:
        for column in ("width", "height", "faces", "error"):
            assert Path(row["path"]).name not in found or found[Path(row["path"]).name][column] == row[column]
    assert "not a photo" in expected[2]["error"] and len(expected[0]["faces"]) == 1
