"""Images whose paths a text file lists."""

from __future__ import annotations

import os
from pathlib import Path

import sslreg
from sslreg_datasets._packed_strings import PackedStrings
from sslreg_datasets.image_folder import format_path


class List(sslreg.Dataset):
    """The images whose paths a text file lists, one in each line, in their order; blank lines do not count.

    There are no labels; a `table` has them. The name of a sample is its path as the file has it.

    Args:
        file: the text file.
        root: the folder that paths are relative to; by default that of the file.

    Raises:
        ValueError: the file is missing, cannot be read or lists nothing, or the first image is missing.
    """

    def __init__(self, file: str, root: str | None = None) -> None:
        self.file = Path(file).expanduser()
        self.root = self.file.parent if root is None else Path(root).expanduser()
        try:
            # Bytes, because the names of files may have any encoding.
            lines = self.file.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
        except OSError as error:
            raise ValueError(f"the list {format_path(self.file)} cannot be read: {error.strerror}") from error
        self._paths = PackedStrings([os.fsdecode(line.strip()) for line in lines if line.strip()])
        if not self._paths:
            raise ValueError(f"the list '{self.file}' has no lines")
        self._require_file(0, ValueError)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> str:
        return self._require_file(index, sslreg.UserError)

    def name(self, index: int) -> str:
        """Return the image's path as the file has it."""
        return self._paths[index]

    def _require_file(self, index: int, error: type[Exception]) -> str:
        """Return the path of an image. Raises an error that names the list if there is no such file."""
        path = os.path.join(self.root, self._paths[index])
        if not os.path.exists(path):
            raise error(
                f"the list '{self.file}' names '{self._paths[index]}', but there is no file '{path}'; root is the "
                "folder that its paths are relative to"
            )
        return path
