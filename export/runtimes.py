"""Copy what the page's worker runs on in a browser from npm to webui/static/vendor, and compile pixels.ts: python -m export.runtimes

package.json and package-lock.json name the versions. To take newer ones, change package.json and call

    npm install --package-lock-only --omit-lockfile-registry-resolved

lcms-wasm says that it needs a program for tests with all that this needs; `overrides` has a small package in its place.

The copies are part of this repository, so that serving the page, or building its static site, needs neither Node nor npm.
"""

import argparse
import base64
import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "webui" / "static" / "vendor"
CHECKSUMS = VENDOR / "SHA256SUMS"
FILES = {
    "onnxruntime.js": ("onnxruntime-web/dist/ort.wasm.bundle.min.mjs",),
    "onnxruntime.wasm.gz": ("onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",),
    "mediabunny.js": ("mediabunny/dist/bundles/mediabunny.min.mjs",),
    "libheif.js": ("libheif-js/libheif-wasm/libheif-bundle.mjs",),
    "lcms.js": ("lcms-wasm/dist/lcms.min.js",),
    "lcms.wasm.gz": ("lcms-wasm/dist/lcms.wasm",),
    "utif.js": ("pako/dist/pako_inflate.min.js", "utif2/UTIF.js"),
}
"""What is in each, one after the other, by the name that the worker loads; one that ends in .gz is compressed, which not every server
of files does."""
KERNELS = ROOT / "export" / "pixels.ts"
SOURCE = "../../../export/pixels.ts"
"""The same from VENDOR: its checksum stands with those of the files, and tells what these were compiled of."""
COMPILED = "pixels.js"
"""What is compiled of it, as a module that holds the code in base64."""
COMPILER = ("-O3", "--enable", "simd", "--runtime", "stub", "--noAssert")


def contents(packages: Path) -> dict[str, bytes]:
    """The files of FILES as they are served, from a folder node_modules."""
    found = {}
    for name, sources in FILES.items():
        data = b"\n".join((packages / source).read_bytes() for source in sources)
        if name.endswith(".gz"):
            data = gzip.compress(data, 9, mtime=0)
        else:  # the maps of their sources are left behind
            data = re.sub(rb"\n//# sourceMappingURL=\S+\s*$", b"\n", data)
        found[name] = data
    return found | {COMPILED: f'export default "{base64.b64encode(compiled(packages)).decode()}";\n'.encode()}


def compiled(packages: Path) -> bytes:
    """KERNELS as WebAssembly, by the AssemblyScript of a folder node_modules."""
    shutil.copy(KERNELS, packages.parent)
    command = [str(packages / ".bin" / "asc"), KERNELS.name, *COMPILER, "-o", "pixels.wasm"]
    subprocess.run(command, cwd=packages.parent, check=True)
    return (packages.parent / "pixels.wasm").read_bytes()


def checksums(files: dict[str, bytes]) -> str:
    """Lines as the command sha256sum writes and reads them."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))


def main() -> int:
    argparse.ArgumentParser(prog="python -m export.runtimes", description=__doc__.splitlines()[0]).parse_args()
    npm = shutil.which("npm")
    if npm is None:
        print("error: npm was not found; it comes with Node.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, folder)
        # Of the packages nothing is run but the compiler.
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        if subprocess.run(install, cwd=folder).returncode:
            print("error: npm could not fetch the packages of package-lock.json.", file=sys.stderr)
            return 1
        files = contents(Path(folder) / "node_modules")
    VENDOR.mkdir(exist_ok=True)
    for name, data in files.items():
        (VENDOR / name).write_bytes(data)
        print(f"{VENDOR / name}: {len(data) / 2**20:.2f} MB")
    CHECKSUMS.write_text(checksums(files | {SOURCE: KERNELS.read_bytes()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
