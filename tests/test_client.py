"""The modules of the page: each is valid by itself, and a browser gets those of one version."""

import shutil
import subprocess
from pathlib import Path

import playwright
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from webui.client import DocumentMiddleware, file_routes
from webui.front import DEVICE, DEVICE_MODELS, MODULES, STATIC

NODE = shutil.which("node") or Path(playwright.__file__).with_name("driver") / "node"
NAMES = sorted(file.name for file in MODULES)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_valid_by_itself(name):
    checked = subprocess.run(
        [NODE, "--input-type=module", "--check"], stdin=(STATIC / name).open(), capture_output=True
    )
    assert checked.returncode == 0, checked.stderr.decode()


def test_every_module_has_what_the_others_take_of_it(browser, page_address):
    """Each is imported for itself; a browser refuses names that another module does not export."""
    page = browser.new_page()
    page.goto(page_address)
    for name in NAMES:
        assert page.evaluate(f"import('./static/{name}').then(Object.keys)") is not None
    page.close()


def test_a_browser_asks_whether_a_file_has_changed():
    client = TestClient(Starlette(routes=file_routes()))
    files = {f"static/{file.relative_to(STATIC)}": file for file in (*MODULES, *DEVICE)}
    files |= {f"models/{name}": STATIC.parent.parent / "models" / name for name in DEVICE_MODELS}
    assert len(NAMES) > 5 and {"static/page.js", "static/device/worker.js", "static/vendor/onnxruntime.js"} < set(files)
    for path, file in files.items():
        answer = client.get(path)
        assert answer.content == file.read_bytes(), path
        assert answer.headers["content-type"].startswith("text/javascript") == (file.suffix == ".js")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        tag = answer.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}'):
            again = client.get(path, headers={"If-None-Match": known})
            assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert len({client.get(path).headers["etag"] for path in files}) == len(files)
    assert client.get("static/../app.py").status_code == client.get("static/live.html").status_code == 404
    # A worker is under the policy of its own file, and has to compile networks' code.
    assert "'wasm-unsafe-eval'" in client.get("static/device/worker.js").headers["content-security-policy"]


def test_no_setting_ends_the_element_that_holds_it():
    async def document(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = b'<html lang="en"><head><base href="./" /></head></html>'
        await send({"type": "http.response.body", "body": body})

    app = DocumentMiddleware(document, {"formula": "</script><script>alert(1)"})
    text = TestClient(app).get("/").text
    assert text.count("</script>") == 3 and "<script>alert" not in text
    assert text.index("<base") < text.index("ifade-settings") < text.index("static/page.js'></script>")
