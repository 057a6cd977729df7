"""onnxruntime-web for the page in which the mini model runs: fetched when the site is built, not
committed. The version and what it has to contain are pinned here.

To raise the version, take INTEGRITY from `npm view onnxruntime-web@VERSION dist.integrity` and
FILES from `sha256sum` of these files in the archive; then run benchmarks/web_video.py.
"""

import base64
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from pathlib import Path

from chain_of_steps.common.files import atomic

VERSION = "1.30.0"
# The WebAssembly build without graphics cards; its threads are not used.
FILES = {
    "ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    "ort-wasm-simd-threaded.wasm": (
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
}
# As the npm registry gives it: SHA-512 of the archive.
INTEGRITY = "sha512-" + (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
REGISTRY = "https://registry.npmjs.org"
SECONDS = 60  # without an answer


def fetched(folder: Path) -> dict[str, Path]:
    """The files by name, in a folder where they are kept; downloaded if they are not there.

    The variable `NPM_CONFIG_REGISTRY` names another registry, as for npm itself.

    Raises:
        OSError: if the registry cannot be reached.
        ValueError: if what it sends is not what is pinned here.
    """
    places = {name: folder / name for name in FILES}
    if not all(_is_intact(places[name], digest) for name, digest in FILES.items()):
        contents = unpacked(_download())
        for name, place in places.items():
            with atomic(place) as file:
                file.write_bytes(contents[name])
    return places


def unpacked(archive: bytes) -> dict[str, bytes]:
    """The wanted files of npm's archive.

    Raises:
        ValueError: if the archive is not the pinned one.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != INTEGRITY:
        raise ValueError(
            f"the archive of onnxruntime-web {VERSION} has the hash {found[:20]}..., expected "
            f"{INTEGRITY[:20]}...; it was changed on the way or in the registry"
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {name: tar.extractfile(f"package/dist/{name}").read() for name in FILES}


def _download() -> bytes:
    registry = os.environ.get("NPM_CONFIG_REGISTRY", REGISTRY).rstrip("/")
    address = f"{registry}/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as response:
            return response.read()
    except (OSError, http.client.HTTPException) as error:
        why = error if hasattr(error, "code") else getattr(error, "reason", error)  # HTTP or not
        raise OSError(
            f"onnxruntime-web {VERSION} could not be downloaded from {registry} ({why})"
        ) from error


def _is_intact(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest
