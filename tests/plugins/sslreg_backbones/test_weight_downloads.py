"""Downloads from servers on the loopback, which take the place of the Hugging Face hub and of others."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from sslreg_backbones.weight_downloads import download, download_from_hub
from sslreg_backbones.weight_sources import download_timm_weights, open_weights

STATE = {"conv1.weight": torch.arange(6.0).reshape(1, 2, 3)}
CONTENT = save(STATE)
COMMIT = "0" * 40


#: The paths on the server: models of the hub, and a file under its own name, under a wrong hash, and cut off.
FILES = {
    "/org/name/resolve/main/model.safetensors": CONTENT,
    "/org/name/resolve/v2/model.safetensors": save({"other": torch.zeros(1)}),
    "/org/other/resolve/main/teacher/weights.pth": b"a file of another name",
    "/timm/resnet0.tag/resolve/main/model.safetensors": CONTENT,
    f"/resnet0-{hashlib.sha256(CONTENT).hexdigest()[:8]}.safetensors": CONTENT,
    "/resnet0-01234567.safetensors": CONTENT,
    "/cut.safetensors": CONTENT,
}


class Handler(BaseHTTPRequestHandler):
    """Serves files as the hub does."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        content = self.answer()
        self.wfile.write(content[: len(content) // 2] if self.path == "/cut.safetensors" else content)

    def answer(self) -> bytes:
        content = FILES.get(self.path)
        known = any(path.startswith(self.path.partition("/resolve/")[0]) for path in FILES)
        error = "EntryNotFound" if known else "GatedRepo" if self.path.startswith("/gated/") else "RepoNotFound"
        self.send_response(200 if content is not None else 403 if error == "GatedRepo" else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if content is None:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        return content or b""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A server in the place of the hub, and empty caches."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        use_hub(f"http://127.0.0.1:{running.server_address[1]}", tmp_path, monkeypatch)
        yield running
        running.shutdown()
        thread.join()


def use_hub(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client of the hub, which reads the environment when it is imported, use another server and cache."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="it comes with timm")
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(cache / "torch"))


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_a_model_of_the_hub_is_downloaded_once(server: ThreadingHTTPServer) -> None:
    path = download_from_hub("org/name")
    assert path.read_bytes() == CONTENT
    server.shutdown()
    server.server_close()
    assert download_from_hub("org/name") == path
    torch.testing.assert_close(open_weights("hf-hub:org/name", "timm", []).tensors, STATE)


def test_a_name_may_have_a_revision_or_a_file(server: ThreadingHTTPServer) -> None:
    assert list(open_weights("hf-hub:org/name@v2", "timm", []).tensors) == ["other"]
    assert download_from_hub("org/other/teacher/weights.pth").read_bytes() == b"a file of another name"


def test_timms_models_are_on_the_hub(server: ThreadingHTTPServer) -> None:
    assert list(open_weights("timm/resnet0.tag", "torchvision", []).tensors) == ["conv1.weight"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("name", "is no name on the Hugging Face hub, which is ORG/NAME"),
        ("org/missing", "there is no model org/missing on the Hugging Face hub, or it is private"),
        ("org/other", "has none of the files model.safetensors, pytorch_model.bin, .*; name one: hf-hub:ORG/NAME/FILE"),
        ("gated/name", "the authors of gated/name restrict who may download it; .* log in"),
    ],
)
def test_a_model_that_the_hub_does_not_give_is_an_error(server: ThreadingHTTPServer, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        download_from_hub(name)


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    use_hub(url, tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"is not in the cache .* cannot be downloaded .* pass the file's path"):
        download_from_hub("org/name")
    with pytest.raises(ValueError, match=r"cannot be downloaded .* pass the file's path"):
        download(f"{url}/resnet0.pth")


def test_a_file_of_another_server_is_downloaded_once(server: ThreadingHTTPServer) -> None:
    url = f"{address(server)}/resnet0-{hashlib.sha256(CONTENT).hexdigest()[:8]}.safetensors"
    path = download(url)
    assert path.read_bytes() == CONTENT
    server.shutdown()
    server.server_close()
    assert download(url) == path


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("resnet0-01234567.safetensors", "its SHA-256 does not begin as its name says"),
        ("cut.safetensors", "the connection was closed before the end"),
        ("missing.pth", "404"),
    ],
)
def test_a_damaged_download_leaves_nothing(
    server: ThreadingHTTPServer, file: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        download(f"{address(server)}/{file}")
    assert list((tmp_path / "torch/hub/checkpoints").iterdir()) == []


def test_timm_names_the_file_of_a_model(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    timm = pytest.importorskip("timm", reason="timm is an extra")
    from timm.models import PretrainedCfg

    configs = {
        "hub": PretrainedCfg(hf_hub_id="org/other", hf_hub_filename="teacher/weights.pth"),
        "url": PretrainedCfg(url=f"{address(server)}/resnet0-{hashlib.sha256(CONTENT).hexdigest()[:8]}.safetensors"),
        "none": PretrainedCfg(),
    }
    monkeypatch.setattr(timm, "get_pretrained_cfg", configs.__getitem__)
    assert download_timm_weights("hub").name == "weights.pth"
    assert download_timm_weights("url").read_bytes() == CONTENT
    with pytest.raises(ValueError, match="timm has no weights for none"):
        download_timm_weights("none")
