import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

import sslreg
from sslreg.registry import installed
from sslreg.spec.parameters import parameters_of
from sslreg_datasets import torchvision_datasets
from sslreg_datasets.torchvision_names import CLASSES, NAMES

#: torchvision's data sets whose items are not an image and a class.
OF_ANOTHER_KIND = {
    "CarlaStereo",
    "CelebA",
    "Cityscapes",
    "CocoCaptions",
    "CocoDetection",
    "CREStereo",
    "DatasetFolder",
    "ETH3DStereo",
    "FallingThingsStereo",
    "Flickr30k",
    "Flickr8k",
    "FlyingChairs",
    "FlyingThings3D",
    "HD1K",
    "HMDB51",
    "ImageFolder",
    "InStereo2k",
    "Kinetics",
    "Kitti",
    "Kitti2012Stereo",
    "Kitti2015Stereo",
    "KittiFlow",
    "LFWPairs",
    "LSUNClass",
    "Middlebury2014Stereo",
    "MovingMNIST",
    "PhotoTour",
    "SBDataset",
    "SBU",
    "SceneFlowStereo",
    "Sintel",
    "SintelStereo",
    "UCF101",
    "VisionDataset",
    "VOCDetection",
    "VOCSegmentation",
    "WIDERFace",
}


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    for split in ("train", "t10k"):
        write_idx(raw / f"{split}-images-idx3-ubyte", images)
        write_idx(raw / f"{split}-labels-idx1-ubyte", np.array([7, 0, 2]))
    return tmp_path


@pytest.fixture
def eurosat(tmp_path: Path) -> Path:
    for name in ("Forest/1.jpg", "River/1.jpg"):
        path = tmp_path / "eurosat/2750" / name
        path.parent.mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(path)
    return tmp_path


def test_every_classification_data_set_of_torchvision_is_named() -> None:
    known = {name for name in datasets.__all__ if isinstance(getattr(datasets, name), type)}
    assert set(CLASSES) == known - OF_ANOTHER_KIND


@pytest.mark.parametrize("name", NAMES)
def test_parameters_can_be_written_in_a_spec(name: str) -> None:
    parameters = parameters_of(installed().get("dataset", name))
    assert parameters.unwritable == ()
    assert parameters.writable.keys() <= {
        *("root", "train", "split", "download", "folds", "partition", "annotation_level", "size", "version", "what"),
        *("small", "background", "image_set", "classes", "image_size", "num_classes", "random_offset"),
    }
    assert all(parameter.type_text != "Any" for parameter in parameters.values())


def test_parameters_are_described_by_torchvision() -> None:
    assert (
        "creates dataset from training set" in parameters_of(installed().get("dataset", "cifar10"))["train"].description
    )


def test_keywords_that_are_passed_on_to_a_base_are_parameters_too() -> None:
    parameters = parameters_of(installed().get("dataset", "emnist"))
    assert list(parameters) == ["root", "split", "train", "download"]


def test_items_and_classes_are_torchvisions(mnist: Path) -> None:
    ours, theirs = sslreg.build("dataset", "mnist", root=str(mnist)), datasets.MNIST(mnist)
    assert len(ours) == 3
    assert ours.classes == theirs.classes
    for (image, target), (expected, label) in zip(ours, theirs, strict=True):
        assert np.array_equal(np.asarray(image), np.asarray(expected))
        assert target == label
    assert np.array_equal(ours.targets, theirs.targets)


def test_a_data_set_of_files_gives_paths_and_names(eurosat: Path) -> None:
    ours = sslreg.build("dataset", "eurosat", root=str(eurosat))
    assert ours[1] == (str(eurosat / "eurosat/2750/River/1.jpg"), 1)
    assert ours.name(1) == "eurosat/2750/River/1.jpg"
    assert ours.classes == ["Forest", "River"]
    assert list(ours.targets) == [ours[index][1] for index in range(len(ours))]


def test_samples_marked_as_unlabelled_have_no_target(tmp_path: Path) -> None:
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    np.zeros((2, 3, 96, 96), np.uint8).tofile(folder / "unlabeled_X.bin")

    class Unchecked(datasets.STL10):
        def _check_integrity(self) -> bool:  # the real files have known checksums
            return True

    class Ours(torchvision_datasets.TorchvisionDataset):
        source = Unchecked
        __signature__ = torchvision_datasets._make_signature(datasets.STL10)

    samples = Ours(root=str(tmp_path), split="unlabeled")
    assert [target for _, target in samples] == [None, None]
    assert list(samples.targets) == [-1, -1]


def test_fake_data_needs_nothing_on_disk() -> None:
    fake = sslreg.build("dataset", "fakedata", size=4, image_size=(1, 8, 8), num_classes=3)
    image, target = fake[0]
    assert image.size == (8, 8)
    assert target in range(3)
    assert fake.classes == ["0", "1", "2"]
    assert fake.targets is None


def test_data_sets_travel_to_spawned_workers(eurosat: Path) -> None:
    ours = sslreg.build("dataset", "eurosat", root=str(eurosat))
    assert pickle.loads(pickle.dumps(ours))[0] == ours[0]


def test_missing_data_is_an_error_that_names_download(tmp_path: Path) -> None:
    with pytest.raises(sslreg.UserError, match=rf"no CIFAR10 in '{tmp_path}'; set download: true"):
        sslreg.build("dataset", "cifar10", root=str(tmp_path))


def test_missing_data_that_torchvision_does_not_download_says_so(tmp_path: Path) -> None:
    with pytest.raises(sslreg.UserError, match=r"does not download it.*devkit"):
        sslreg.build("dataset", "imagenet", root=str(tmp_path))


def test_the_default_root_is_reported_with_its_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sslreg.UserError, match=rf"in 'data' \(that is, {tmp_path}/data\)"):
        sslreg.build("dataset", "mnist")


def test_a_split_that_does_not_exist_is_an_error_that_lists_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(sslreg.UserError, match=r"'training'.*train"):
        sslreg.build("dataset", "svhn", root=str(tmp_path), split="training")


def test_items_feed_a_plain_data_loader(mnist: Path) -> None:
    loader = torch.utils.data.DataLoader(
        sslreg.build("dataset", "mnist", root=str(mnist)), batch_size=3, collate_fn=lambda items: [t for _, t in items]
    )
    assert list(loader) == [[7, 0, 2]]
