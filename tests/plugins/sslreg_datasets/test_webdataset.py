"""Shards on disk: what counts as a sample, what is wrong with a shard, and how often it is read."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import UserError
from sslreg.spec import parse_spec

pytest.importorskip("webdataset")

from sslreg_datasets import webdataset_shards
from sslreg_datasets.webdataset import WebDataset


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def image(number: int, extension: str = "png") -> bytes:
    file = io.BytesIO()
    pixels = np.full((12, 10, 3), number % 256, dtype=np.uint8)
    Image.fromarray(pixels).save(file, {"jpg": "JPEG"}.get(extension, extension))
    return file.getvalue()


def write(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> str:
    """Four shards of 30 samples, each an image whose level is its number, and its class."""
    for shard in range(4):
        numbers = range(30 * shard, 30 * shard + 30)
        members = {f"{n:03}.png": image(n) for n in numbers} | {f"{n:03}.cls": str(n % 3).encode() for n in numbers}
        write(tmp_path / f"photos-{shard}.tar", dict(sorted(members.items())))
    return str(tmp_path / "photos-{0..3}.tar")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each shard was read from its start."""
    seen: Counter[str] = Counter()
    original = webdataset_shards.read_records

    def counting(shard: str):
        seen[webdataset_shards.short_name(shard)] += 1
        return original(shard)

    monkeypatch.setattr(webdataset_shards, "read_records", counting)
    return seen


def level(data: WebDataset, index: int) -> int:
    return int(sslreg.load_image(data[index][0], 3)[0, 0, 0])


def test_samples_are_what_the_shards_have_by_number_and_name(shards: str) -> None:
    data = WebDataset(shards)
    assert len(data) == 120
    for index in (0, 29, 30, 75, 119, 2):
        assert level(data, index) == index
        assert data[index][1] == index % 3
    assert data.name(31) == "photos-1/031"
    assert data.classes is None


def test_an_epoch_reads_every_shard_once(shards: str, opened: Counter[str]) -> None:
    data = WebDataset(shards, samples=30, shuffle=25)
    order = data.order(torch.Generator().manual_seed(1), 8, 1).tolist()
    assert [level(data, index) for index in order] == order
    assert opened == {f"photos-{n}.tar": 1 for n in range(4)}


def test_a_run_that_goes_on_opens_what_still_has_samples(shards: str, opened: Counter[str]) -> None:
    order = WebDataset(shards, samples=30, shuffle=25).order(torch.Generator().manual_seed(1), 8, 1)
    rest = order[72:]
    data = WebDataset(shards, samples=30, shuffle=25)
    assert [level(data, index) for index in rest.tolist()] == rest.tolist()
    assert opened == {f"photos-{shard}.tar": 1 for shard in set((rest // 30).tolist())}
    assert len(opened) < 4


@pytest.mark.parametrize(("lanes", "shuffle"), [(1, 0), (2, 10), (4, 40)])
def test_any_order_gives_the_same_samples_at_the_price_of_reading_again(shards: str, lanes: int, shuffle: int) -> None:
    data = WebDataset(shards, samples=30, shuffle=shuffle, lanes=lanes)
    order = np.random.default_rng(0).permutation(120)[:60].tolist()
    assert [level(data, index) for index in order] == order


def test_what_waits_in_memory_is_bounded(shards: str) -> None:
    data = WebDataset(shards, samples=30, shuffle=3)
    for index in (29, 59, 89):
        data[index]
    assert len(data._open_reader()._skipped) <= 6


def test_a_worker_gets_a_copy_without_open_files(shards: str) -> None:
    data = WebDataset(shards)
    data[3]
    again = pickle.loads(pickle.dumps(data))
    assert (level(again, 4), level(data, 4)) == (4, 4)


def test_extensions_may_be_mixed_and_other_members_do_not_count(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.tar",
        {
            "a/one.jpg": image(10, "jpg"),
            "a/one.json": json.dumps({"class": 4, "text": "a dog"}).encode(),
            "a/one.seg.png": image(0),
            "readme.txt": b"no image",
            "b/two.WEBP": image(20, "webp"),
            "three.png": image(30),
            "three.json": b"{}",
        },
    )
    data = WebDataset(str(path), label="class")
    assert [data.name(n) for n in range(len(data))] == ["mixed/a/one", "mixed/b/two", "mixed/three"]
    assert [data[n][1] for n in range(3)] == [4, None, None]
    assert [abs(level(data, n) - 10 * (n + 1)) <= 2 for n in range(3)] == [True] * 3


def test_counting_is_done_once_until_the_file_changes(shards: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sslreg_datasets import webdataset_index

    counted: list[str] = []
    original = webdataset_index.read_records
    monkeypatch.setattr(
        webdataset_index, "read_records", lambda shard, unused: (counted.append(shard), original(shard))[1]
    )
    first = WebDataset(shards)
    assert len(counted) == 4
    assert [WebDataset(shards).name(n) for n in (0, 119)] == [first.name(0), first.name(119)]
    assert len(counted) == 4
    write(Path(first.shards[2]), {"new.png": image(1)})
    assert len(WebDataset(shards)) == 91
    assert len(counted) == 5


def test_a_cache_that_is_damaged_or_unwritable_only_costs_time(
    shards: str, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    WebDataset(shards)
    for path in cache.rglob("*.json"):
        path.write_text('{"keys": [')
    assert len(WebDataset(shards)) == 120
    for path in cache.rglob("*.json"):
        path.unlink()
    (cache / "sslreg" / "webdataset").rmdir()
    (cache / "sslreg" / "webdataset").write_text("in the way")
    assert len(WebDataset(shards)) == 120
    assert "counted again next time" in caplog.text


def test_what_webdataset_opens_by_a_scheme_is_streamed(shards: str) -> None:
    folder = Path(shards).parent
    data = WebDataset(f"pipe:cat {folder}/photos-{{0..3}}.tar", samples=[30, 30, 30, 30], shuffle=10)
    order = data.order(torch.Generator().manual_seed(0), 10, 1).tolist()
    assert [level(data, index) for index in order] == order
    assert data.name(33) == "photos-1/3"


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "pipe:touch ran #.tar",
        "PIPE:touch ran #.tar",
        "http:example.com.tar",
        "gs:bucket.tar",
        "|touch ran #.tar",
        "-.tar",
        "{pipe,x}:touch ran #.tar",
        "$(touch ran).tar",
    ],
)
def test_a_file_that_a_wildcard_finds_is_a_file_whatever_it_is_called(
    name: str, absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / name, {"a.png": image(7), "b.png": image(8)})
    for pattern in ("*.tar", "*.t[a]r"):
        data = WebDataset(f"{tmp_path}/{pattern}" if absolute else pattern)
        assert data.shards == [str(path)]
        assert [level(data, index) for index in range(2)] == [7, 8]
        assert data.name(1) == f"{path.stem}/b"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["-", "|touch ran", "a:b.tar", "$(touch ran)"])
def test_text_without_a_scheme_names_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name, {"a.png": image(7)})
    assert level(WebDataset(name), 0) == 7
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("pattern", ["{pipe,x}:touch ran", "{pip,x}e:touch ran", "{pipe:touch ran,photos-0.tar}"])
def test_braces_cannot_hide_a_command(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="hides its scheme in braces; start it with pipe:"):
        WebDataset(pattern)
    assert not (tmp_path / "ran").exists()


def test_check_points_out_commands(tiny_spec: str) -> None:
    for shards in ("pipe:cat a.tar", "[b.tar, 'PIPE: cat a.tar']"):
        spec = parse_spec(tiny_spec, "tiny.yaml", [f"data.train={{use: webdataset, shards: {shards}}}"])
        (warning,) = [one for one in spec.warnings if one.code == "command"]
        assert (warning.severity, warning.message) == ("warning", "training runs the command 'cat a.tar'")
    spec = parse_spec(tiny_spec, "tiny.yaml", ["data.train={use: webdataset, shards: 'https://a.b/c.tar'}"])
    assert [one for one in spec.warnings if one.code == "command"] == []


def test_only_regular_files_are_shards(tmp_path: Path, caplog: pytest.LogCaptureFixture, time_limit: None) -> None:
    os.mkfifo(tmp_path / "a.tar")
    write(tmp_path / "b.tar", {"a.png": image(7)})
    with pytest.raises(ValueError, match=r"there is no shard '.*a\.tar'"):
        WebDataset(str(tmp_path / "a.tar"))
    data = WebDataset(str(tmp_path / "*.tar"))
    assert data.shards == [str(tmp_path / "b.tar")]
    assert "1 matches" in caplog.text
    (tmp_path / "b.tar").unlink()
    os.mkfifo(tmp_path / "b.tar")
    with pytest.raises(UserError, match="not a regular file"):
        data[0]


def test_remote_shards_are_counted_at_every_start(tmp_path: Path, cache: Path) -> None:
    path = write(tmp_path / "a.tar", {"a.png": image(7)})
    assert len(WebDataset(f"pipe:cat {path}")) == 1
    assert not list(cache.rglob("*.json"))
    write(tmp_path / "a.tar", {"a.png": image(7), "b.png": image(8)})
    assert len(WebDataset(f"pipe:cat {path}")) == 2


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "7",
        "[" * 100_000,
        {"keys": None},
        {"keys": []},
        {"keys": "abc"},
        {"keys": [1, 2]},
        {"keys": {"a": 1}},
        {"keys": ["x"], "version": None},
        {"keys": ["x"], "version": [1, 2]},
    ],
)
def test_a_cache_with_other_content_is_ignored(shards: str, cache: Path, content: object) -> None:
    expected = WebDataset(shards).name(119)
    for path in cache.rglob("*.json"):
        if isinstance(content, dict):
            path.write_text(json.dumps(json.loads(path.read_text()) | content))
        else:
            path.write_text(str(content))
    data = WebDataset(shards)
    assert (len(data), data.name(119)) == (120, expected)


def test_a_cache_of_another_user_is_ignored(shards: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WebDataset(shards)
    for path in cache.rglob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"keys": ["forged"]}))
    assert len(WebDataset(shards)) == 4
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    assert len(WebDataset(shards)) == 120


def test_a_cache_with_other_samples_than_the_shard_is_noticed_when_it_is_read(shards: str, cache: Path) -> None:
    WebDataset(shards)
    for path in cache.rglob("*.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"keys": content["keys"][1:]}))
    with pytest.raises(UserError, match=r"photos-0\.tar has '000' in place of 'photos-0/001'"):
        WebDataset(shards)[0]


def test_paths_may_have_wildcards(shards: str) -> None:
    assert WebDataset(str(Path(shards).parent / "photos-*.tar")).shards == WebDataset(shards).shards


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shards": []}, "names no shard"),
        ({"shards": ""}, "there is no shard ''"),
        ({"shards": "photos-{0..4}.tar"}, r"there is no shard 'photos-4\.tar' \(that is, .*photos-4\.tar\)"),
        ({"shards": "other-*.tar"}, r"there is no shard 'other-\*\.tar'"),
        ({"shards": ["photos-0.tar", "photos-{0..1}.tar"]}, r"names '.*photos-0\.tar' twice"),
        ({"samples": [30, 30]}, "samples has 2 numbers, and there are 4 shards"),
        ({"lanes": 3, "world_size": 2}, "lanes: 3 cannot be shared by 2 processes"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    shards: str, changes: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(shards).parent)
    with pytest.raises(ValueError, match=message):
        WebDataset(**{"shards": "photos-{0..3}.tar", "samples": 30} | changes)


@pytest.mark.parametrize("beyond", [0, 100, 512, 600], ids=["before", "header", "data", "end of the data"])
def test_a_tear_is_found_wherever_it_is(shards: str, beyond: int) -> None:
    path = Path(shards).parent / "photos-2.tar"
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"075.png") + beyond])
    with pytest.raises(ValueError, match=r"photos-2\.tar cannot be read beyond its first 1[45] samples"):
        WebDataset(shards)


def test_shards_may_be_compressed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as tar:
        (tmp_path / "x.png").write_bytes(image(7))
        tar.add(tmp_path / "x.png", "x.png")
    assert level(WebDataset(str(tmp_path / "packed.tar.gz")), 0) == 7


def test_a_torn_shard_is_named(shards: str) -> None:
    path = Path(shards).parent / "photos-2.tar"
    content = path.read_bytes()
    tail = content.index(b"075.png") + 600  # in the middle of the member's data
    path.write_bytes(content[:tail])
    with pytest.raises(ValueError, match=r"photos-2\.tar cannot be read beyond its first 1[45] samples"):
        WebDataset(shards)
    data = WebDataset(shards, samples=30)
    assert level(data, 70) == 70
    with pytest.raises(UserError, match=r"photos-2\.tar cannot be read beyond"):
        data[89]
    assert level(data, 91) == 91


def test_a_shard_that_is_whole_again_is_read_in_the_next_epoch(shards: str, opened: Counter[str]) -> None:
    path = Path(shards).parent / "photos-2.tar"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    data = WebDataset(shards, samples=30, shuffle=0)
    for index in (80, 85, 89):
        with pytest.raises(UserError, match=r"photos-2\.tar"):
            data[index]
    assert opened["photos-2.tar"] == 1
    path.write_bytes(whole)
    assert [level(data, index) for index in range(60, 90)] == list(range(60, 90))


def test_a_shard_that_is_no_tar_or_has_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.tar").write_text("<html>404</html>" * 100)
    with pytest.raises(ValueError, match=r"page\.tar cannot be read beyond its first 0 samples: ReadError"):
        WebDataset(str(tmp_path / "page.tar"))
    write(tmp_path / "texts.tar", {"a.txt": b"text"})
    with pytest.raises(ValueError, match=r"texts\.tar has no image"):
        WebDataset(str(tmp_path / "texts.tar"))


def test_a_shard_with_fewer_samples_than_stated_is_named(shards: str) -> None:
    data = WebDataset(shards, samples=31)
    with pytest.raises(UserError, match=r"photos-0\.tar has 30 samples, and samples says 31"):
        data[30]


@pytest.mark.parametrize(
    ("member", "content", "message"),
    [("x.cls", b"cat", "its label is 'cat'"), ("x.json", b'{"label": ', r"its \.json cannot be read")],
)
def test_a_label_that_is_no_class_number_is_named(tmp_path: Path, member: str, content: bytes, message: str) -> None:
    path = write(tmp_path / "odd.tar", {"x.png": image(1), member: content})
    with pytest.raises(UserError, match=rf"odd/x: {message}"):
        WebDataset(str(path), label=None if member == "x.cls" else "label")[0]


def test_names_may_contain_dots(tmp_path: Path) -> None:
    members = {
        "a/photo.v2.JPG": image(10, "jpg"),
        "b.1.png": image(20),
        "b.1.cls": b"1",
        "b.2.png": image(30),
        "b.cls": b"7",
        "2026.01.31.png": image(40),
    }
    data = WebDataset(str(write(tmp_path / "dots.tar", members)))
    assert [data.name(n) for n in range(len(data))] == [*("dots/a/photo.v2", "dots/b.1", "dots/b.2", "dots/2026.01.31")]
    assert [data[n][1] for n in range(4)] == [None, 1, 7, None]
    assert [abs(level(data, n) - 10 * (n + 1)) <= 2 for n in range(4)] == [True] * 4


def test_an_array_is_an_image_only_if_there_is_no_other(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, np.full((12, 10), 50, dtype=np.uint8))
    array = file.getvalue()
    members = {"a.npy": array, "a.png": image(10), "b.1.jpg": image(20, "jpg"), "b.feature.npy": array, "c.npy": array}
    data = WebDataset(str(write(tmp_path / "arrays.tar", members)))
    assert [data.name(n) for n in range(len(data))] == ["arrays/a", "arrays/b.1", "arrays/c"]
    assert [abs(level(data, n) - expected) <= 2 for n, expected in enumerate((10, 20, 50))] == [True] * 3


def test_members_that_are_not_used_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    members = {
        "a.png": image(10),
        "a.seg.png": image(0),
        "a.cls": b"1",
        "b.heic": b"no reader",
        "c.heic": b"no reader",
        ".hidden.png": image(0),
        "plain": b"",
    }
    path = write(tmp_path / "mixed.tar", members)
    expected = "5 members of the shards are not used, because they belong to no image or their sample has another one: "
    for _ in range(2):  # counted, and from the cache
        caplog.clear()
        assert len(WebDataset(str(path))) == 1
        assert expected + "2 .heic" in caplog.text
        assert "1 .seg.png" in caplog.text


@pytest.mark.parametrize(("lanes", "shuffle"), [(1, 0), (2, 10), (4, 40)])
def test_a_part_reads_every_shard_once_in_its_order(
    shards: str, opened: Counter[str], lanes: int, shuffle: int
) -> None:
    whole = WebDataset(shards, samples=30, shuffle=shuffle, lanes=lanes)
    rows = np.sort(np.random.default_rng(0).permutation(120)[:50])
    part = pickle.loads(pickle.dumps(whole.select(rows))).select(np.arange(2, 50))
    order = part.order(torch.Generator().manual_seed(1), 8, 1).tolist()
    assert len(set(order)) == len(order) == 48
    assert [level(part, index) for index in order] == [rows[2 + index] for index in order]
    assert opened == {f"photos-{n}.tar": 1 for n in range(4)}
    assert part.name(0) == whole.name(int(rows[2]))
    assert len(part._open_reader()._skipped) == 0
    assert (len(whole), len(part)) == (120, 48)


def test_samples_outside_of_a_part_do_not_wait_in_memory(shards: str) -> None:
    part = WebDataset(shards, samples=30, shuffle=100).select(np.array([10, 29]))
    part[1]
    assert list(part._open_reader()._skipped) == [(0, 10)]
