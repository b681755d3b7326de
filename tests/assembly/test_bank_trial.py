"""Memory banks in a spec that a model or a loss does not use or cannot use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
from torch import nn

import sslreg
from sslreg.assembly import try_spec
from sslreg.errors import UserError
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel

BACKBONE = "backbone: {use: convnet, width: 4, depth: 1}"


class WithBank(TinyModel):
    """A model that may use its bank.

    Args:
        does: what it does with the bank.
    """

    def __init__(
        self, backbone: sslreg.Backbone, bank: sslreg.MemoryBank, does: Literal["nothing", "read", "fill", "both"]
    ) -> None:
        super().__init__(backbone)
        self.bank = bank
        self.does = does
        bank.hold(self.embedding_dim)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        first, second = (self.backbone(view) for view in batch.views)
        if self.does in ("fill", "both"):
            self.bank.enqueue(second)
        neighbors = self.bank.nearest(first) if self.does in ("read", "both") else first
        return sslreg.StepOutput(loss(neighbors, second))


class WithList(TinyModel):
    """A model that keeps its banks in a list, which is no module."""

    def __init__(self, backbone: sslreg.Backbone, banks: Sequence[sslreg.MemoryBank], registers: bool) -> None:
        super().__init__(backbone)
        self.banks = nn.ModuleList(banks) if registers else list(banks)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        self.banks[0].negatives()
        return output


@pytest.fixture(autouse=True)
def models():
    with temporary_components(model={"with_bank": WithBank, "with_list": WithList}):
        yield


@pytest.mark.parametrize("does", ["nothing", "read", "fill", "both"])
@pytest.mark.parametrize("fill", ["empty", "random"])
def test_a_bank_that_a_step_neither_reads_nor_fills_causes_a_warning(spec, does: str, fill: str) -> None:
    bank = f"{{use: nearest_neighbor, size: 64, fill: {fill}}}"
    loaded = spec(
        "loss={use: nt_xent, symmetric: false}",
        f"model={{use: with_bank, {BACKBONE}, does: {does}, bank: null}}",
        f"model.bank={bank}",
    )
    warnings = try_spec(loaded)
    if does != "nothing":
        assert warnings == ()
        return
    (warning,) = warnings
    assert (warning.code, warning.severity) == ("unused-bank", "warning")
    assert "model 'with_bank' does not use this memory bank" in warning.message
    assert loaded.sources[warning.file].splitlines()[warning.line - 1] == f"model.bank={bank}"


def test_each_bank_of_a_list_has_its_place(spec) -> None:
    banks = "[{use: fifo, size: 64}, {use: fifo, size: 32}]"
    changes = (f"model={{use: with_list, {BACKBONE}, registers: true, banks: {banks}}}",)
    (warning,) = try_spec(spec(*changes))
    assert changes[0][warning.column - 1 :].startswith("{use: fifo, size: 32}")


def test_a_bank_that_is_no_module_of_its_owner_is_refused(spec) -> None:
    model = f"model={{use: with_list, {BACKBONE}, registers: false, banks: [{{use: fifo, size: 64}}]}}"
    with pytest.raises(UserError, match="model 'with_list' does not store this memory bank as a module"):
        try_spec(spec(model))


def test_a_bank_that_cannot_do_what_a_step_needs_is_refused(spec) -> None:
    model = f"model={{use: with_bank, {BACKBONE}, does: both, bank: {{use: fifo, size: 64}}}}"
    with pytest.raises(UserError, match=r"FIFOMemoryBank cannot find nearest rows; .*: nearest_neighbor"):
        try_spec(spec(model))
