"""A reader is chosen by the first bytes, then by the extension, then by what is preferred."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import sslreg
from sslreg import Pixels, Source, UserError
from sslreg.assembly import build_collate, build_readers
from sslreg.images import Readers, image_extensions, installed_readers
from sslreg.spec import parse_spec
from sslreg.testing import temporary_components


def reader(level: int, extensions: Sequence[str] = ()) -> type[sslreg.Reader]:
    """A reader of files that begin with ``LEVEL``, as one pixel of a given level."""

    class LevelReader(sslreg.Reader):
        """Reads a level."""

        def __init__(self, level: int = level) -> None:
            self.level = level

        @property
        def extensions(self) -> Sequence[str]:
            return extensions

        def matches(self, name: str, head: bytes) -> bool:
            return head.startswith(b"LEVEL")

        def read(self, source: Source) -> Pixels:
            return Pixels(np.full((1, 1, 1), self.level, np.uint8))

    return LevelReader


def test_the_only_reader_that_matches_is_used(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"LEVEL")
    with temporary_components(reader={"first": reader(1)}):
        assert sslreg.load_image(b"LEVEL").item() == 1
        assert sslreg.load_image(path).item() == 1, "the bytes count more than the extension"


def test_of_several_the_one_that_claims_the_extension_is_used(tmp_path: Path) -> None:
    path = tmp_path / "image.TWO"
    path.write_bytes(b"LEVEL")
    with temporary_components(reader={"first": reader(1, [".one"]), "second": reader(2, [".two"])}):
        assert sslreg.load_image(path).item() == 2


def test_a_tie_is_an_error_that_names_the_image_and_both_readers() -> None:
    with (
        temporary_components(reader={"first": reader(1), "second": reader(2)}),
        pytest.raises(
            UserError, match=r"5 bytes can be read by reader 'first' of .* and by reader 'second' of "
        ) as caught,
    ):
        sslreg.load_image(b"LEVEL")
    assert "data.readers: [{use: first}]" in str(caught.value)


def test_the_spec_settles_a_tie_with_parameters(tiny_spec: str) -> None:
    with temporary_components(reader={"first": reader(1), "second": reader(2)}) as catalog:
        for written, level in (
            ("{use: second}", 2),
            ("{use: first}, {use: second}", 1),
            ("{use: second, level: 7}", 7),
        ):
            spec = parse_spec(tiny_spec, "tiny.yaml", [f"data.readers=[{written}]"], catalog=catalog)
            assert sslreg.load_image(b"LEVEL", readers=build_readers(spec)).item() == level
            assert build_collate(spec).load(sslreg.Sample(b"LEVEL")).tolist() == [[[level]]]


def test_an_unknown_reader_in_a_spec_is_reported(tiny_spec: str) -> None:
    with pytest.raises(UserError, match="'pilow'") as caught:
        parse_spec(tiny_spec, "tiny.yaml", ["data.readers=[{use: pilow}]"])
    assert "did you mean 'pillow'" in str(caught.value)


def test_an_image_that_no_reader_matches_names_the_installed_ones() -> None:
    with pytest.raises(UserError, match=r"cannot be read: no installed reader .*dicom, jpeg, .*tiff") as caught:
        sslreg.load_image(b"a text, and no image")
    assert "plugins new NAME --kind reader" in str(caught.value)


class Broken(sslreg.Reader):
    """Cannot be built."""

    def __init__(self) -> None:
        raise RuntimeError("no license")


def test_a_reader_that_cannot_be_built_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with temporary_components(reader={"broken": Broken, "first": reader(1)}), caplog.at_level(logging.WARNING):
        assert sslreg.load_image(b"LEVEL").item() == 1
        assert sslreg.load_image(b"LEVEL").item() == 1
    assert [record.message for record in caplog.records if "no license" in record.message] == [caplog.messages[0]]


class Fails(sslreg.Reader):
    def matches(self, name: str, head: bytes) -> bool:
        raise RuntimeError("no head")


class Nameless(sslreg.Reader):
    @property
    def extensions(self) -> list[str]:
        raise RuntimeError("no extensions")


def test_a_reader_that_raises_keeps_no_other_from_reading(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    with temporary_components(reader={"fails": Fails, "nameless": Nameless}):
        for _ in range(2):
            assert sslreg.load_image(photos / "rgb.jpg").shape == (3, 60, 80)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "reader 'nameless' of temporary" in messages[0]
    assert "reader 'fails' of temporary" in messages[1]


def test_extensions_are_those_of_all_readers() -> None:
    with temporary_components(reader={"first": reader(1, [".one"])}):
        assert {".one", ".jpg", ".jpeg", ".png", ".tif", ".webp"} <= image_extensions()
    assert ".one" not in image_extensions()


def test_a_reader_is_built_once_in_a_process() -> None:
    assert installed_readers() is installed_readers()


def test_pickled_readers_need_no_discovery() -> None:
    png = b"\x89PNG\r\n\x1a\n"
    data = pickle.dumps(Readers())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_choose_in_another_process, (data, png)) == ("Pillow", 0)


def _choose_in_another_process(data: bytes, image: bytes) -> tuple[str, int]:
    """Return the chosen reader's class and how often plugins were discovered."""
    from sslreg.registry import installed

    return type(pickle.loads(data).choose(Source(image))).__name__, installed.cache_info().currsize


def test_arrays_need_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Readers, "all", property(lambda readers: pytest.fail("readers are built")))
    assert sslreg.load_image(np.zeros((1, 2, 2), np.uint8)).shape == (1, 2, 2)
