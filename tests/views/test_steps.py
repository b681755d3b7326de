import torch

import sslreg
from sslreg.views import Draw, Operation, ViewPlan, WithProbability
from sslreg.views.steps import Rounding


def test_a_label_is_the_name_with_the_probability_or_the_class() -> None:
    flip = sslreg.build("augmentation", "horizontal_flip")
    assert Operation("flip", flip).label() == "flip"
    assert Operation("flip", flip).label(by_class=True) == "horizontal_flip"
    assert Operation("flip", WithProbability(flip, 0.5)).label() == "flip (p 0.5)"
    assert Rounding().label() == "round to 8 bits"


def test_a_draw_is_applied_with_its_rescaled_params() -> None:
    drawn, rescaled = {"top": torch.tensor([4, 8])}, {"top": torch.tensor([2, 4])}
    assert Draw(drawn, torch.zeros(2, 3)).apply_params is drawn
    assert Draw(drawn, torch.zeros(2, 3), rescaled).apply_params is rescaled
    assert Draw(drawn, torch.zeros(2, 3)).select(slice(1, 2)).params["top"].tolist() == [8]


def test_params_are_named_by_operation_and_leave_the_rounding_out() -> None:
    flip = Operation("flip", WithProbability(sslreg.build("augmentation", "horizontal_flip"), 0.5))
    plan = ViewPlan([flip, flip])
    draws = [Draw({"n": torch.tensor([n])}, torch.zeros(1, 3)) for n in range(3)]
    assert [type(step) for step in plan.steps] == [Operation, Operation, Rounding]
    assert {name: int(params["n"]) for name, params in plan.params(draws).items()} == {"flip": 0, "flip[1]": 1}
