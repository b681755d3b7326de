import sys
from pathlib import Path

import pytest

from sslreg.registry import Catalog, ComponentInfo, PluginReport, Registry

HERE = Path(__file__).parent

# The imaginary package is imported by name, like a plugin.
sys.path.append(str(HERE))


@pytest.fixture(scope="session")
def valid() -> str:
    """A spec that uses only components of the imaginary package."""
    return (HERE / "valid.yaml").read_text()


@pytest.fixture(scope="session")
def acme() -> Catalog:
    """The imaginary package, one that provides the same name, a broken one and a blocked one."""
    registry = Registry("parts", "acme-ssl", "1.2")
    registry.dataset("photos", "acme_parts:Photos", summary="Photos in a folder")
    registry.augmentation("crop", "acme_parts:Crop", invariances=("shape",))
    registry.augmentation("jitter", "acme_parts:Jitter", invariances=("color",))
    registry.augmentation("one_of", "acme_parts:OneOf")
    registry.backbone("tiny", "acme_parts:Tiny")
    registry.model("pairs", "acme_parts:Pairs", summary="Pairs of views")
    registry.model("open", "acme_parts:Open")
    registry.model("multi_crop", "acme_parts:MultiCrop")
    registry.loss("contrast", "acme_parts:Contrast", summary="Contrast")
    registry.loss("prototypes", "acme_parts:Prototypes")
    registry.loss("twice", "acme_parts:Contrast")
    registry.memory_bank("fifo", "acme_parts:Fifo")
    registry.optimizer("sgd", "torch.optim:SGD")
    registry.optimizer("adamw", "torch.optim:AdamW")
    registry.schedule("steps", "torch.optim.lr_scheduler:StepLR")
    registry.schedule("lambda", "torch.optim.lr_scheduler:LambdaLR")
    registry.schedule("warm", "acme_parts:Warm")
    registry.evaluator("knn", "acme_parts:Knn")
    registry.callback("paint", "acme_parts:paint")
    registry.callback("needs_callable", "acme_parts:NeedsCallable")
    registry.callback("gone", "acme_parts:Gone")
    other = Registry("other", "other-ssl", "0.1")
    other.loss("twice", "acme_parts:Contrast")
    return Catalog(
        [
            PluginReport("parts", "acme-ssl", "1.2", "loaded", components=tuple(registry.components)),
            PluginReport("other", "other-ssl", "0.1", "loaded", components=tuple(other.components)),
            PluginReport("crash", "crash-ssl", "2.0", "failed", error="ImportError: no module named 'moon'"),
            PluginReport("shut", "shut-ssl", "3.0", "blocked"),
        ]
    )


@pytest.fixture
def info():
    """Makes the `ComponentInfo` of a target in the imaginary package."""

    def make(kind: str, target: str) -> ComponentInfo:
        return ComponentInfo(kind, "made_up", target if ":" in target else f"acme_parts:{target}")

    return make
