"""A model of the hub: downloaded on request, cached, and loaded like a folder.

The hub is a local server that implements what diffusers uses of the real one.
"""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tiny

from chain_of_steps.models.video_model import VideoModel

NAME, COMMIT = "somebody/tiny-wan", "0123456789abcdef0123456789abcdef01234567"
LOAD = """
import sys
from chain_of_steps.common.errors import sentence
from chain_of_steps.models.video_model import VideoModel
for name in sys.argv[1:]:
    try:
        print(VideoModel.load(name, download=True).fingerprint)
    except Exception as error:
        print(sentence(error))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    tiny.wan22_like().save_pretrained(folder)
    return folder


def files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def entry(file: Path, folder: Path) -> dict:
    body = file.read_bytes()
    return {
        "type": "file",
        "path": str(file.relative_to(folder)),
        "size": len(body),
        "oid": tag(body),
    }


def tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def hub(folder) -> Iterator[str]:
    """The address of a hub that holds one model."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith(f"/api/models/{NAME}/tree/"):
                return self.answer(
                    json.dumps([entry(file, folder) for file in files(folder)]).encode()
                )
            if self.path.startswith(f"/api/models/{NAME}"):
                names = [{"rfilename": str(file.relative_to(folder))} for file in files(folder)]
                return self.answer(
                    json.dumps({"id": NAME, "sha": COMMIT, "siblings": names}).encode()
                )
            file = folder / self.path.removeprefix(f"/{NAME}/resolve/").partition("/")[2]
            if not self.path.startswith(f"/{NAME}/") or not file.is_file():
                return self.answer(b"", 404)
            return self.answer(file.read_bytes())

        do_HEAD = do_GET

        def answer(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", tag(body))
            self.send_header("X-Repo-Commit", COMMIT)
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def load(names: list[str], hub: str, cache: Path) -> list[str]:
    """The output of a separate process that loads models: the hub's address is read at its
    start."""
    environment = {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "PATH": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LOAD, *names]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_a_model_of_the_hub_is_that_of_its_folder_and_stays_when_the_hub_is_gone(
    hub, folder, tmp_path
):
    fingerprint = VideoModel.load(folder).fingerprint
    fetched, refused = load([NAME, "nobody/nothing"], hub, tmp_path)
    assert fetched == fingerprint
    assert refused.startswith(
        "nobody/nothing is not a folder and cannot be downloaded from the hub: "
    )
    assert load([NAME], "http://127.0.0.1:9", tmp_path) == [fingerprint], "from the cache"
