"""onnxruntime-web is fetched in the pinned version, once, and nothing else is accepted."""

import base64
import hashlib
import io
import tarfile

import pytest
from picture_parity import onnxruntime_web, served

CONTENTS = {"ort.wasm.bundle.min.mjs": b"export {};", "ort-wasm-simd-threaded.wasm": b"\0asm"}


def archive(contents: dict[str, bytes]) -> bytes:
    """A stand-in, packed as npm packs it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, data in contents.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry on this machine whose archive is the pinned one; its file may be changed."""
    file = tmp_path / "registry" / "onnxruntime-web" / "-"
    file /= f"onnxruntime-web-{onnxruntime_web.VERSION}.tgz"
    file.parent.mkdir(parents=True)
    file.write_bytes(archive(CONTENTS))
    digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    monkeypatch.setattr(onnxruntime_web, "INTEGRITY", f"sha512-{digest}")
    monkeypatch.setattr(onnxruntime_web, "FILES", hashes)
    with served(tmp_path / "registry") as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        yield file


def test_the_files_are_fetched_once(registry, tmp_path):
    for _ in range(2):
        files = onnxruntime_web.fetched(tmp_path / "kept")
        assert {name: file.read_bytes() for name, file in files.items()} == CONTENTS
        registry.unlink(missing_ok=True)  # the second time it is not asked for


def test_a_file_that_was_damaged_is_fetched_again(registry, tmp_path):
    files = onnxruntime_web.fetched(tmp_path)
    name = next(iter(files))
    files[name].write_bytes(b"something else")
    assert onnxruntime_web.fetched(tmp_path)[name].read_bytes() == CONTENTS[name]


def test_another_archive_is_refused(registry, tmp_path):
    registry.write_bytes(archive({**CONTENTS, "ort-wasm-simd-threaded.wasm": b"\0asm and more"}))
    with pytest.raises(ValueError, match=r"has the hash sha512-.* expected sha512-"):
        onnxruntime_web.fetched(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_registry_that_does_not_have_it(registry, tmp_path):
    registry.unlink()
    with pytest.raises(OSError, match=r"could not be downloaded from http://127\.0\.0\.1:.*404"):
        onnxruntime_web.fetched(tmp_path / "kept")


def test_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/")  # nobody listens there
    with pytest.raises(OSError, match=r"could not be downloaded from http://127\.0\.0\.1:9 \("):
        onnxruntime_web.fetched(tmp_path)


def test_the_version_is_pinned_by_hash():
    assert base64.b64decode(onnxruntime_web.INTEGRITY.removeprefix("sha512-"), validate=True)
    assert all(len(bytes.fromhex(digest)) == 32 for digest in onnxruntime_web.FILES.values())
