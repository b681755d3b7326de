"""The data sets of evaluators."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg import UserError
from sslreg.assembly import assemble


def test_sets_with_different_classes_are_refused(spec, photos: Path, tmp_path: Path) -> None:
    for split, classes in {"known": ("cat", "dog", "owl"), "judged": ("cat", "owl")}.items():
        for name in classes:
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "photo.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    sets = (
        f"data.{role}={{use: image_folder, root: '{tmp_path / split}'}}"
        for role, split in {"reference": "known", "test": "judged"}.items()
    )
    with pytest.raises(UserError, match="number different classes; they differ in 'dog'"):
        assemble(spec("data.channels=3", *sets))
