"""The content of a report, and the reasons for missing parts."""

from __future__ import annotations

import base64
import io
import math
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

import sslreg
from sslreg import Run, UserError
from sslreg.report import write_report
from sslreg.report.charts import build_chart
from sslreg.report.embedded_images import EmbeddedImages, Picture
from sslreg.report.embedding_map import make_sprite, map_embeddings
from sslreg.report.html_pages import _environment
from sslreg.report.invariance_profile import build_profile, list_subjects
from sslreg.report.nearest_images import find_neighbors
from sslreg.report.report_page import render_report
from sslreg.report.reported_runs import read_curves, read_runs
from sslreg.report.spectrum import spectrum_chart
from sslreg.runs.folder import RunFolder


class Texts(HTMLParser):
    """The texts of a page by the section that they are in."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self._section = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section" and (name := dict(attrs).get("id")):
            self._section = name
        if tag in ("td", "th", "tr"):
            self.handle_data("|")

    def handle_data(self, data: str) -> None:
        self.sections[self._section] = self.sections.get(self._section, "") + " ".join(data.split()) + " "


@pytest.fixture(scope="module")
def of_one(one: Path) -> dict[str, str]:
    return Texts(one.read_text(encoding="utf-8")).sections


@pytest.fixture(scope="module")
def of_two(two: Path) -> dict[str, str]:
    return Texts(two.read_text(encoding="utf-8")).sections


Change = Callable[[Path], None]


@pytest.fixture
def changed(evaluated_run: Run, tmp_path: Path) -> Callable[[Change], dict[str, str]]:
    """The report of a run whose folder has been changed."""

    def report(change: Change) -> dict[str, str]:
        shutil.copytree(evaluated_run.path, tmp_path / "run")
        change(tmp_path / "run")
        return Texts(render_report([tmp_path / "run"])).sections

    return report


def test_evaluations_come_before_those_of_baselines(of_one: dict[str, str], tiny_run: Run) -> None:
    summary = tiny_run.summary
    cells = [summary["final"], summary["baseline"]["raw_pixels"], summary["baseline"]["untrained"]]
    expected = " ".join(f"| {found['neighbors_top1']:.3f} ± {found['neighbors_top1_ci']:.3f}" for found in cells)
    assert f"neighbors_top1 {expected}" in of_one["evaluation"]
    assert "_ci" not in of_one["evaluation"]


def test_later_evaluations_are_in_the_table_too(of_two: dict[str, str]) -> None:
    assert "knn_top1 | 0.750 ± 0.125 | 0.750 ± 0.125 | 0.250 | 0.250 | 0.500 | 0.500" in of_two["evaluation"]
    assert "invariance" not in of_two["evaluation"]


def test_runs_are_called_by_the_ends_of_their_paths(of_two: dict[str, str]) -> None:
    assert "| tiny | folder" in of_two["summary"]


def test_differing_values_of_the_specs_are_listed(of_two: dict[str, str]) -> None:
    assert "| data.batch_size | 64 | 8" in of_two["spec"]
    assert "data.channels | 1 |" in of_two["spec"]
    assert "loss.use" not in of_two["spec"].partition("the spec as it was trained")[0]
    assert of_two["spec"].count("version: 1") == 2


def test_versions_are_those_of_the_lock(of_one: dict[str, str], tiny_run: Run) -> None:
    assert f"torch | {tiny_run.lock['torch']}" in of_one["versions"]
    assert f"loss/nt_xent | sslreg {sslreg.__version__}" in of_one["versions"]


def test_the_map_says_which_images_and_how(of_one: dict[str, str]) -> None:
    assert "all 449 images of the test set" in of_one["map"]
    assert "t-SNE" in of_one["map"]


def test_an_invariance_profile_that_is_not_there_is_measured(of_one: dict[str, str]) -> None:
    for text in ("Shape", "mean", "affine", "horizontal_flip", "trained", "untrained", "25 %"):
        assert text in of_one["invariance"]


def test_a_profile_that_was_evaluated_is_shown_and_not_measured(of_two: dict[str, str]) -> None:
    profile = of_two["invariance"]
    assert "tiny, untrained 1.000 folder, untrained 1.000 tiny, trained 0.250 ± 0.062 folder, trained 0.250" in profile
    assert (
        profile.index("Shape") < profile.index("affine_rotation") < profile.index("Other") < profile.index("of_someone")
    )
    assert "| 25 % | 100 % | readback" in profile
    assert "affine_rotation, tiny, trained | 0.250 | 2.000 | 0.125" in profile


def test_a_line_of_the_profile_is_as_long_as_its_largest_figure(two: Path) -> None:
    page = two.read_text(encoding="utf-8")
    assert 'class="tick" style="left: 50.0%"' in page
    assert re.findall(r'class="mark run-0" style="left: ([\d.]+)%"', page) == ["12.5", "25.0", "25.0", "100.0"]
    assert 'class="interval run-0" style="left: 9.4%; width: 6.2%"' in page


def test_a_run_without_checkpoints_still_has_a_report(changed: Callable[[Change], dict[str, str]]) -> None:
    sections = changed(lambda run: shutil.rmtree(run / "checkpoints"))
    for section in ("map", "neighbors"):
        assert "Not shown" in sections[section]
        assert "checkpoint" in sections[section]
    assert "Not shown: there are no embeddings" in sections["spectrum"]
    assert "few_shot_1" in sections["evaluation"]


def test_data_that_is_gone_is_named(changed: Callable[[Change], dict[str, str]]) -> None:
    def move(run: Path) -> None:
        spec = run / "spec.resolved.yaml"
        text, count = re.subn(r"use: digits, split: \w+", "use: image_folder, root: /gone", spec.read_text())
        assert count == 2
        spec.write_text(text)

    sections = changed(move)
    for section in ("views", "map", "neighbors"):
        assert re.search("Not shown: .*/gone", sections[section]), section


def test_a_run_that_wrote_nothing_but_its_spec_says_so(changed: Callable[[Change], dict[str, str]]) -> None:
    def strip(run: Path) -> None:
        for name in ("metrics.csv", "summary.json", "evaluations.json"):
            (run / name).unlink()

    sections = changed(strip)
    assert "summary.json is missing" in sections["summary"]
    assert "Not shown: metrics.csv" in sections["curves"]
    assert "has no metrics" in sections["evaluation"]


def test_a_run_without_labels_says_why_there_is_no_evaluation(folder_run: Run, tmp_path: Path) -> None:
    shutil.copytree(folder_run.path, tmp_path / "run")
    (tmp_path / "run" / "evaluations.json").write_text("{}")
    spec = tmp_path / "run" / "spec.resolved.yaml"
    labeled = Texts(render_report([tmp_path / "run"])).sections
    assert "the spec of run names no evaluators" in labeled["evaluation"]
    spec.write_text(spec.read_text().replace("use: image_folder,", "use: image_folder, labels: none,"))
    sections = Texts(render_report([tmp_path / "run"])).sections
    assert "Not shown: the data has no labels, so there is no evaluation" in sections["evaluation"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the folder of a run"):
        write_report([tmp_path], tmp_path / "report.html")


def test_a_page_is_asked_of_nowhere(two: Path) -> None:
    page = two.read_text(encoding="utf-8")
    assert set(re.findall(r'(?:src|href)="([^":]*)[":]', page)) <= {
        "data",
        *(f"#{name}" for name in Texts(page).sections),
    }
    assert "url(http" not in page
    assert "@import" not in page


def test_a_half_written_row_of_metrics_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,epoch,loss,knn\n1,0,2.5,\n2,0,nan,0.5\n3,0,1.2")
    assert read_curves(RunFolder(tmp_path)) == {"loss": [(1, 2.5)], "knn": [(2, 0.5)]}


def test_a_long_curve_is_drawn_by_means_and_keeps_its_ends() -> None:
    curve = [(float(step), float(step % 2)) for step in range(16_000)]
    drawn = build_chart("loss", {("run", "run-0"): curve}, "step")
    assert drawn.lines[0].path.count("L") == 399
    assert {float(y) for y in re.findall(r" ([\d.]+)", drawn.lines[0].path)} == {150.0}
    assert (drawn.right, drawn.lines[0].last) == ("step 15999", "1")


def test_a_logarithmic_axis_puts_the_geometric_mean_in_the_middle() -> None:
    drawn = build_chart("share", {("run", "run-0"): [(1, 1.0), (2, 0.1), (3, 0.01)]}, "component", logarithmic=True)
    assert drawn.lines[0].path == "M0 0.0L500 150.0L1000 300.0"


def test_values_without_an_order_are_drawn_as_dots() -> None:
    curves = {("best", "run-0"): [(0, 1.0), (1, 2.0)], ("trials", "run-1"): [(0, 1.0), (1, 2.0)]}
    best, trials = build_chart("knn", curves, "trial", dotted=[("trials", "run-1")]).lines
    assert (best.path, trials.path) == ("M0 300.0L1000 0.0", "M0 300.0h0M1000 0.0h0")


def test_extreme_values_are_marked_and_do_not_flatten_a_chart() -> None:
    curve = [(1, 2.0), (2, -1e30), (3, 1.0), (4, 3.0), (5, math.inf)]
    drawn = build_chart("loss", {("run", "run-0"): curve}, "step")
    assert (drawn.low, drawn.high) == ("1", "3")
    assert drawn.lines[0].path == "M0 150.0L250 300.0L500 300.0L750 0.0L1000 0.0"
    assert [(mark.text, mark.left) for mark in drawn.lines[0].marks] == [("▼", 0.25), ("▲", 1.0)]
    assert drawn.beyond == ["▲ up to inf", "▼ up to -1e+30"]
    page = _environment().get_template("_charts.html").module.chart(drawn)  # type: ignore[attr-defined]
    assert "▲ up to inf; ▼ up to -1e+30" in page
    assert re.findall(r'class="beyond (\w+) run-0" style="left: ([\d.]+)%"', page) == [
        ("below", "25.0"),
        ("above", "100.0"),
    ]


@pytest.mark.parametrize("extreme", [9.0, 1e30, math.inf])
def test_an_extreme_distance_is_marked_and_does_not_shorten_the_others(evaluated_run: Run, extreme: float) -> None:
    (run,) = read_runs([evaluated_run.path])
    metrics = {f"acme_{number}": number / 10 for number in range(8)} | {"acme_far": extreme, "acme_bad": math.nan}
    profile = build_profile(list_subjects([(run, {"trained": metrics, "untrained": {"acme_1": -0.5}})]))
    markers = {line.name: line.markers[-1] for _, lines in profile.groups for line in lines if line.markers}
    assert profile.one == 1.0
    assert profile.has_marks
    assert (markers["acme_far"].value, markers["acme_far"].is_beyond) == (1.0, True)
    assert markers["acme_far"].text.startswith("▲ ")
    assert markers["acme_7"].value == pytest.approx(0.7)
    assert "acme_bad" not in markers


def test_the_spectrum_is_that_of_principal_components() -> None:
    features = torch.nn.functional.normalize(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    ratios = PCA().fit(features.double().numpy()).explained_variance_ratio_
    drawn = spectrum_chart({("run", "run-0"): features})
    assert (drawn.high, drawn.low) == (f"{ratios.max():.4g}", f"{ratios.min():.4g}")


def embedded(features: torch.Tensor, pictures: list[Picture]) -> EmbeddedImages:
    unit = torch.nn.functional.normalize(features, dim=1)
    return EmbeddedImages("test", len(pictures), 0, pictures, unit, unit, "untrained")


def test_neighbors_are_those_that_scikit_learn_finds() -> None:
    features = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    images = [Picture(row, str(row), str(row % 3), Image.new("L", (4, 4))) for row in range(30)]
    _, expected = NearestNeighbors(n_neighbors=6, metric="cosine").fit(features.numpy()).kneighbors(features.numpy())
    found = find_neighbors(embedded(features, images))
    assert {query.picture.label for query in found} == {"0", "1", "2"}
    for query in found:
        assert [neighbor.picture.index for neighbor in query.trained] == expected[query.picture.index][1:].tolist()
        assert all(one.same == (one.picture.label == query.picture.label) for one in query.trained)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_images_are_mapped_by_principal_components(count: int) -> None:
    made = map_embeddings(torch.randn(count, 3, generator=torch.Generator().manual_seed(0)), [None] * count)
    assert "principal components" in made.method
    assert len(made.points) == count
    assert all(0 <= x <= 640 and 0 <= y <= 480 for x, y in made.points)
    assert made.classes == [(None, list(range(count)))]


@pytest.fixture(scope="module")
def many_photos() -> list[Picture]:
    """2,000 cuts from real photographs."""
    photos = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    generator = np.random.default_rng(0)
    pictures = []
    for number in range(2000):
        photo, side = photos[number % 2], int(generator.integers(96, 400))
        left, top = generator.integers(0, photo.width - side), generator.integers(0, photo.height - side)
        cut = photo.crop((left, top, left + side, top + side)).resize((96, 96))
        pictures.append(Picture(number, f"photographs/of a class/{number:06}.jpg", str(number % 2), cut))
    return pictures


def test_thumbnails_keep_to_their_budget(many_photos: list[Picture]) -> None:
    largest, smaller = make_sprite(many_photos, 10**9), make_sprite(many_photos, 10**6)
    assert largest.side == 48
    assert len(smaller.uri) <= 10**6
    assert smaller.side < 48


def test_a_thumbnail_lies_where_the_page_looks_for_it() -> None:
    pictures = [Picture(n, str(n), None, Image.new("L", (8, 8), 10 * n)) for n in range(7)]
    made = make_sprite(pictures, 10**6)
    assert (made.side, made.columns, made.rows) == (8, 3, 3)
    sheet = Image.open(io.BytesIO(base64.b64decode(made.uri.partition(",")[2])))
    for n in range(7):
        assert sheet.getpixel((n % 3 * 8 + 4, n // 3 * 8 + 4)) == 10 * n


@pytest.mark.slow
def test_a_report_of_2000_photographs_takes_less_than_5_mb(
    folder_run: Run, many_photos: list[Picture], tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    for picture in many_photos:
        picture.image.save(tmp_path / "photos" / f"{picture.index}.jpg", quality=85)
    shutil.copytree(folder_run.path, tmp_path / "run")
    spec = tmp_path / "run" / "spec.resolved.yaml"
    spec.write_text(re.sub(r"root: [^}]*", f"root: {tmp_path / 'photos'}", spec.read_text()))
    write_report([tmp_path / "run"], tmp_path / "report.html")
    page = tmp_path / "report.html"
    assert "all 2,000 images of the test set" in page.read_text(encoding="utf-8")
    assert page.stat().st_size < 5e6
