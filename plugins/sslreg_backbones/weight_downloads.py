"""Downloads of weights, which are kept in the caches of torch and of the Hugging Face hub."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import urlopen

import torch

from sslreg_backbones.weight_files import hash_file

#: How long a server may take to answer, in seconds.
_TIMEOUT = 10

#: The names of the file of weights in a repository on the hub, in the order in which they are tried.
_HUB_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_HUB_NAME = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>[^@]+\.(?:safetensors|bin|pth|pt)))?"
)

_ADVICE = "download the file on a machine with a network, and pass the file's path as weights"


def download(url: str) -> Path:
    """Return torch's cached copy of a file. If there is none, download it.

    Raises:
        ValueError: It cannot be downloaded, or has another hash than its name says.
    """
    name = Path(urlparse(url).path).name
    path = Path(torch.hub.get_dir(), "checkpoints", name)
    if path.is_file():
        return path
    draft = path.with_name(f".{name}.{os.getpid()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(url, timeout=_TIMEOUT) as response, draft.open("wb") as file:
            shutil.copyfileobj(response, file)
        size, begin = response.headers["Content-Length"], re.search(r"-([0-9a-f]{8,})\.", name)
        if size is not None and draft.stat().st_size != int(size):
            raise OSError("the connection was closed before the end")
        if begin and not hash_file(draft).startswith(begin[1]):
            raise OSError("its SHA-256 does not begin as its name says")
        draft.replace(path)
    except OSError as error:
        raise ValueError(f"weights: {url} cannot be downloaded ({error}); {_ADVICE}") from error
    finally:
        draft.unlink(missing_ok=True)
    return path


def download_from_hub(name: str, files: Sequence[str] = _HUB_FILES) -> Path:
    """Return the Hugging Face hub's cached copy of a file of weights. If there is none, download it.

    Args:
        name: ``ORG/NAME``, ``ORG/NAME@REVISION``, or ``ORG/NAME/FILE``.
        files: The files of which the first that exists is returned, unless the name ends with a file.

    Raises:
        ValueError: There is no such repository or file, or it cannot be downloaded.
    """
    match = _HUB_NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"weights: {name!r} is no name on the Hugging Face hub, which is ORG/NAME, ORG/NAME@REVISION, or "
            "ORG/NAME/FILE with a file that ends in .safetensors, .bin, .pth or .pt"
        )
    try:
        hub: Any = import_module("huggingface_hub")
        errors: Any = import_module("huggingface_hub.errors")
    except ImportError as error:
        raise ValueError(
            "weights from the Hugging Face hub need huggingface_hub; install it with: pip install 'sslreg[timm]'"
        ) from error

    repository, revision = match["repository"], match["revision"]

    def fetch(file: str, **options: Any) -> Path:
        return Path(hub.hf_hub_download(repository, file, revision=revision, **options))

    def ask_and_fetch(file: str) -> Path:
        # Asked once before the download, which tries a server that does not answer again and again.
        hub.get_hf_file_metadata(hub.hf_hub_url(repository, file, revision=revision), timeout=_TIMEOUT)
        return fetch(file, etag_timeout=_TIMEOUT)

    names = [match["file"]] if match["file"] else list(files)
    cached = _first(errors, names, lambda file: fetch(file, local_files_only=True))
    return cached or _download_first(errors, name, names, ask_and_fetch)


def _first(errors: Any, names: Sequence[str], fetch: Callable[[str], Path]) -> Path | None:
    """Return the first file that exists, None if none does."""
    for file in names:
        try:
            return fetch(file)
        except errors.EntryNotFoundError:
            continue
    return None


def _download_first(errors: Any, name: str, names: Sequence[str], fetch: Callable[[str], Path]) -> Path:
    """Download the first file that exists in a repository of this name."""
    try:
        path = _first(errors, names, fetch)
    except errors.GatedRepoError as error:
        raise ValueError(
            f"weights: the authors of {name} restrict who may download it; accept their terms on its page and log in "
            f"with: hf auth login; or {_ADVICE}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ValueError(
            f"weights: there is no model {name} on the Hugging Face hub, or it is private; check the name, or log in "
            "with: hf auth login"
        ) from error
    except Exception as error:  # the hub's client and its HTTP library raise many kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"weights: {name} is not in the cache of the Hugging Face hub, and cannot be downloaded ({reason}); "
            f"{_ADVICE}"
        ) from error
    if path is None:
        raise ValueError(
            f"weights: {name} on the Hugging Face hub has none of the files {', '.join(names)}; name one: "
            "hf-hub:ORG/NAME/FILE"
        )
    return path
