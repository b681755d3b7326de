"""The list of skipped samples."""

from __future__ import annotations

import csv
from pathlib import Path

from sslreg import Dataset, UserError
from sslreg.assembly import SampleDataset
from sslreg.runs.folder import RunFolder
from sslreg.training.callbacks.skipped_samples import SkippedSamples
from sslreg.views import Skipped


class Broken(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> None:
        raise UserError("broken")

    def name(self, index: int) -> str:
        return ["a/caf\udce9.png", '\x1b[31m",\n.png'][index]


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    callback = SkippedSamples(RunFolder(tmp_path), SampleDataset(Broken()))
    callback._write([Skipped(0, "cannot read a/caf\udce9.png"), Skipped(1, "\x9b")])
    rows = list(csv.reader((tmp_path / "skipped.csv").read_text(encoding="utf-8").splitlines(keepends=True)))
    assert rows[1:] == [["0", r"a/caf\xe9.png", r"cannot read a/caf\xe9.png"], ["1", '\\x1b[31m",\n.png', r"\x9b"]]
