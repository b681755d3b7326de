import copy
import pickle

import pytest
import torch
from torch import nn

import sslreg


class Teacher(nn.Module):
    """A module with a custom method and attribute."""

    num_features = 4

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).to(dtype)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.saw: list[torch.dtype] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.saw.append(images.dtype)
        return self.layers(images)

    def tokens(self, images: torch.Tensor, *, keep: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layers(images), torch.arange(3)


class Student(nn.Module):
    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.teacher = sslreg.frozen(Teacher(dtype))


def test_a_frozen_module_stays_in_eval_mode_and_computes_without_gradients() -> None:
    student, images = Student(), torch.randn(5, 3, requires_grad=True)
    expected = Teacher().eval()(images).detach()

    student.train().requires_grad_(True)

    for outputs in (student.teacher(images), student.teacher.tokens(images)[0]):
        assert torch.equal(outputs, expected)
        assert not outputs.requires_grad
    assert not student.teacher.training
    assert not student.teacher.wrapped.training
    assert not any(weight.requires_grad for weight in student.teacher.wrapped.parameters())


def test_its_attributes_are_those_of_the_module() -> None:
    teacher = sslreg.frozen(Teacher())

    assert teacher.num_features == 4
    assert isinstance(teacher.layers, nn.Sequential)
    with pytest.raises(AttributeError, match="'Teacher' object has no attribute 'missing'"):
        _ = teacher.missing


def test_it_is_no_part_of_the_state_of_its_parent() -> None:
    student = Student()

    assert list(student.state_dict()) == ["layer.weight", "layer.bias"]
    assert len(list(student.parameters())) == 2
    assert not list(student.buffers())


def test_copies_share_it() -> None:
    student = Student()
    copied = copy.deepcopy(student)

    assert copied.teacher.wrapped is student.teacher.wrapped
    assert copied.layer is not student.layer


def test_it_can_be_pickled() -> None:
    teacher, images = sslreg.frozen(Teacher()), torch.randn(5, 3)

    assert torch.equal(pickle.loads(pickle.dumps(teacher))(images), teacher(images))


@pytest.mark.parametrize("own", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16, torch.float64])
def test_it_keeps_its_type_and_returns_that_of_its_input(own: torch.dtype, given: torch.dtype) -> None:
    student = Student(own)
    before = copy.deepcopy(student.teacher.wrapped.state_dict())
    images = torch.randn(5, 3)

    student.to(given)

    assert student.layer.weight.dtype == given
    assert all(torch.equal(value, before[name]) for name, value in student.teacher.wrapped.state_dict().items())
    assert student.teacher(images.to(given)).dtype == given
    features, numbers = student.teacher.tokens(images=images.to(given), keep=None)
    assert (features.dtype, numbers.dtype) == (given, torch.int64)


def test_it_moves_with_its_parent() -> None:
    student = Student(torch.float16).to("meta")

    assert all(value.is_meta for value in student.teacher.wrapped.state_dict().values())
    assert student.teacher.layers[0].weight.dtype == torch.float16
    assert student.teacher(torch.randn(5, 3, device="meta")).shape == (5, 4)


def test_under_autocast_a_module_in_half_precision_computes_in_it_and_others_follow() -> None:
    half, full = (sslreg.frozen(Teacher(dtype)) for dtype in (torch.float16, torch.float32))
    images = torch.randn(5, 3)
    alone = half(images)

    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(half(images), alone)
        assert full.layers[0](images).dtype == torch.bfloat16
        full(images)

    assert half.saw == [torch.float16] * 2
    assert full.saw == [torch.float32]


def test_the_sha256_is_that_of_names_types_shapes_and_values() -> None:
    def sha256(change=lambda teacher: None, dtype=torch.float32) -> str:
        teacher = Teacher(dtype)
        change(teacher)
        return sslreg.frozen(teacher).sha256()

    digests = {
        sha256(),
        sha256(dtype=torch.bfloat16),
        sha256(lambda teacher: teacher.count.add_(1)),
        sha256(lambda teacher: teacher.layers[1].running_mean.add_(1e-7)),
        sha256(lambda teacher: setattr(teacher, "others", nn.Linear(1, 1))),
        sha256(lambda teacher: setattr(teacher.layers[0].weight, "data", teacher.layers[0].weight.view(3, 4))),
    }
    assert len(digests) == 6
    assert sha256() in digests
