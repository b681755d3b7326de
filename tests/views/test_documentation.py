import re
from pathlib import Path

from sslreg.registry import installed

PAGE = (Path(__file__).parents[2] / "docs" / "augmentations.md").read_text(encoding="utf-8")


def test_every_augmentation_is_in_the_table_with_its_invariances() -> None:
    rows = re.findall(r"^\| (`.*?) \| ([a-z, ]*) ?\|", PAGE, re.MULTILINE)
    documented = {
        name: tuple(filter(None, said.strip().split(", ")))
        for names, said in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    default = [info for info in installed().of_kind("augmentation") if info.plugin == "augmentations"]
    assert documented == {info.name: info.invariances for info in default}
