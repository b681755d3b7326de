"""The tests mirror the sources: ``tests/runs/test_folder.py`` tests ``sslreg/runs/folder.py``."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"

#: Tests that do not mirror one module, each with the reason.
CROSS_CUTTING = {
    "cli/test_full_disk.py": "every command that replaces files",
    "cli/test_help.py": "the help of all commands",
    "cli/test_run_commands.py": "mistakes of users in several commands",
    "conformance/test_defaults.py": "all default components",
    "docs/test_blocks.py": "the code blocks of all pages",
    "docs/test_paths.py": "the paths that pages mention",
    "docs/test_recipes.py": "the figures on the pages of recipes",
    "docs/test_site.py": "the documentation site",
    "evaluation/test_dense_evaluation.py": "data sets, evaluators and evaluations of masks",
    "evaluation/test_profile.py": "a training and the invariance profile of its result",
    "examples/test_sslreg_tico.py": "a complete plugin package",
    "methods/test_every_method.py": "the recipe of every method",
    "packaging/test_constraints.py": "the versions for development",
    "packaging/test_makefile.py": "the targets of make",
    "packaging/test_wheel.py": "the built wheel",
    "plugins/sslreg_augmentations/test_at_strength.py": "the strengths of several augmentations",
    "plugins/sslreg_augmentations/test_catalog.py": "all augmentations",
    "plugins/sslreg_augmentations/test_containers.py": "one_of, random_apply and random_order",
    "plugins/sslreg_augmentations/test_flips.py": "horizontal_flip and vertical_flip",
    "plugins/sslreg_augmentations/test_fusion.py": "all fused operations",
    "plugins/sslreg_augmentations/test_reproducibility.py": "all augmentations in a pipeline",
    "plugins/sslreg_augmentations/test_without_waiting.py": "all augmentations on a device",
    "plugins/sslreg_browser/test_attacks.py": "all pages and endpoints of the server",
    "plugins/sslreg_browser/test_every_page.py": "all pages of the server in a browser",
    "plugins/sslreg_browser/test_features_in_chromium.py": "the page of features in a browser",
    "plugins/sslreg_browser/test_runs_in_chromium.py": "the pages of runs in a browser",
    "plugins/sslreg_curves/test_curves.py": "a complete plugin",
    "plugins/sslreg_datasets/test_table_and_array_runs.py": "runs on tables and arrays",
    "plugins/sslreg_datasets/test_webdataset_runs.py": "runs on shards",
    "plugins/sslreg_loggers/test_loggers.py": "all loggers",
    "plugins/sslreg_losses/test_distributed.py": "all losses on several processes",
    "plugins/sslreg_losses/test_numerics.py": "all losses",
    "plugins/sslreg_losses/test_torch_features.py": "all losses",
    "plugins/sslreg_models/test_multi_crop.py": "the calls of the backbone by methods with crops of two sizes",
    "plugins/sslreg_readers/test_scientific_images.py": "readers in a whole run",
    "plugins/sslreg_optimizers/test_registration.py": "all optimizers and schedules",
    "plugins/sslreg_tune/test_kills.py": "studies that are killed, and that several processes share",
    "plugins/sslreg_tune/test_postgresql.py": "studies in a PostgreSQL database",
    "registry/test_components.py": "all default components",
    "registry/test_guide.py": "the plugin guide",
    "report/test_browser.py": "all pages in a browser",
    "report/test_preview.py": "previews and the views of training",
    "spec/test_broken_specs.py": "every mistake in a spec",
    "spec/test_common_words.py": "hints for words from other toolkits",
    "spec/test_compose.py": "bases, overrides and references in one tree",
    "spec/test_docs.py": "the guide to specs",
    "spec/test_editor.py": "the schema in an editor",
    "spec/test_mutations.py": "mutated specs",
    "test_architecture.py": "the imports of all files",
    "test_layout.py": "the test files",
    "test_platforms.py": "a program without what Windows lacks",
    "test_public_api.py": "the public names",
    "test_readme.py": "the README",
    "training/distributed/test_ddp_parity.py": "training in two processes and in one",
    "training/distributed/test_ddp_resume.py": "resuming in two processes",
    "training/distributed/test_faults_together.py": "failures in one of two processes",
    "training/distributed/test_processes.py": "the command in two processes",
    "training/test_check_agrees.py": "check and training of generated specs",
    "training/test_engine.py": "the options of `trainer` and `engine`",
    "training/test_gradient_scaler.py": "16-bit training",
    "training/test_split.py": "runs on parts of a data set",
    "training/test_kill.py": "runs that are killed",
    "views/test_documentation.py": "the page on augmentations",
}


def sources_of(test: Path) -> list[Path]:
    """Return the modules or packages that a test file may be named after."""
    folder = test.relative_to(TESTS).parent
    name = test.stem.removeprefix("test_")
    homes = [ROOT / "sslreg" / folder, ROOT / folder]
    return [
        path
        for home in homes
        for path in (home / f"{name}.py", home / f"_{name}.py", home / name / "__init__.py")
        if path.exists()
    ]


def test_every_test_file_is_named_after_a_module_or_listed() -> None:
    """Rename a file that fails here after the module that it tests, or add it to CROSS_CUTTING with the reason."""
    files = {path.relative_to(TESTS).as_posix(): path for path in TESTS.rglob("test_*.py")}
    assert [name for name, path in files.items() if not sources_of(path) and name not in CROSS_CUTTING] == []


def test_the_list_names_only_tests_that_need_it() -> None:
    assert [name for name in CROSS_CUTTING if not (TESTS / name).exists()] == []
    assert [name for name in CROSS_CUTTING if sources_of(TESTS / name)] == []


def test_coverage_is_measured_in_the_core_and_every_default_plugin() -> None:
    measured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coverage"]["run"]
    plugins = [path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")]
    assert sorted(measured["source_pkgs"]) == sorted(["sslreg", *plugins])
