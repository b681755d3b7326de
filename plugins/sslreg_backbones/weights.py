"""Loading of existing weights into a module, and the report on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

import sslreg
from sslreg_backbones.state_dict_layouts import StateDict, list_layouts, strip_prefix
from sslreg_backbones.weight_files import hash_file
from sslreg_backbones.weight_sources import WeightFile

#: Prefixes of the network that is used after training, in a file with several networks, and prefixes of the others.
_PREFERRED = re.compile(r"(?:^|[._])(?:average|ema|teacher|target_encoder)(?:[._]|$)")
_AVOIDED = re.compile(r"(?:^|[._])(?:student|momentum|key|encoder_k|target)(?:[._]|$)")

#: Regular expressions for the parts of networks that a backbone does not need, and the kinds of these parts.
_EXTRAS = {
    re.compile(
        r"heads?|head_dist|fc|classifier|last_layer|prototypes|(?:\w+_)?head|projectors?|projection|predictor"
    ): "head",
    re.compile(r"decoder\w*"): "decoder",
    re.compile(r"mask_token|masked_embed|lm_head|local_cls_norm"): "used in pretraining only",
    re.compile(r"pooler|pre_logits"): "pooler",
    re.compile(r"rope_embed\w*"): "fixed",
}

#: The share of the best network's tensors from which on another network in the file is a candidate too.
_SIMILAR = 0.9

#: Buffers that are computed, not learned: a counter, a mask and the periods of rotary embeddings.
_COMPUTED = (".num_batches_tracked", ".bias_mask", ".periods")


@dataclass(frozen=True)
class _Network:
    """A network in a file that may be the one to load.

    Attributes:
        layout: The layout of its names.
        prefix: The prefix of its names in the file.
        state: Its tensors by the names of the module that gets them.
    """

    layout: str
    prefix: str
    state: StateDict

    @property
    def rank(self) -> int:
        """Rank averages and teachers, which are used after training, first, and ``backbone`` before other names."""
        preferred = bool(_PREFERRED.search(self.prefix)) - bool(_AVOIDED.search(self.prefix))
        return 2 * preferred + ("backbone" in self.prefix.split("."))


@torch.no_grad()
def load_weights(
    body: nn.Module,
    file: WeightFile,
    *,
    heads: Collection[str] = (),
    adapt: Callable[[StateDict], StateDict] = dict,
    knows_layouts: bool = False,
    optional: Collection[str] = (),
) -> sslreg.LoadedWeights:
    """Copy the weights of a whole model into a model without heads.

    The layout of the file is recognized by its names. The first filters are adapted to the number of channels.

    Args:
        body: The model without heads.
        file: The content of the file.
        heads: The names of the removed layers.
        adapt: Converts a state dict further, for example to other sizes.
        knows_layouts: Whether `adapt` also converts layouts that are not known here.
        optional: The names of tensors that the file may lack.

    Raises:
        ValueError: An entry is missing, unknown or of another shape.
    """
    own = {name: tensor for name, tensor in body.state_dict().items() if not name.endswith(_COMPUTED)}
    network = _choose_network(file, own, adapts_any=knows_layouts)
    state, left_out = _leave_out(network, own, heads)
    before = dict(state)
    state, _ = _leave_out(replace(network, state=adapt(state)), own, heads)
    missing = [name for name in own if name not in state and name not in optional]
    unknown = [name for name in state if name not in own]
    if missing or unknown:
        raise ValueError(
            f"the weights belong to another architecture: {_list_names('without', missing, 'with', unknown)}"
        )
    if (stem := first_convolution(body)) is not None:
        filters = f"{stem}.weight"
        state[filters] = adapt_channels(state[filters].to(own[filters].dtype), own[filters].shape[1])
    _require_shapes(state, own)
    for name, tensor in state.items():
        own[name].copy_(tensor)
    return sslreg.LoadedWeights(
        source=file.source,
        file=str(file.path.absolute()),
        sha256=hash_file(file.path),
        layout=network.layout,
        prefix=network.prefix,
        loaded=len(state),
        tensors=len(own),
        adapted=_describe_changes(before, state, own),
        missing={name: "not in the file" for name in own if name not in state},
        left_out=left_out | _list_others(file.tensors, network.prefix),
    )


def _choose_network(file: WeightFile, own: Mapping[str, Tensor], *, adapts_any: bool) -> _Network:
    """Return the network in a file that fits a module best; of several that fit, the one that is used after training.

    Args:
        file: The content of the file.
        own: The module's tensors.
        adapts_any: Whether a library converts further layouts. It then gets all tensors of a file without a known one.

    Raises:
        ValueError: Nothing in the file fits.
    """
    networks = [
        (len(own.keys() & network.state.keys()), network) for network in _find_networks(file.tensors, list(own))
    ]
    if not networks and adapts_any:
        return _Network("names that timm converts", "", dict(file.tensors))
    most = max((count for count, _ in networks), default=0)
    if not most:
        raise ValueError(
            f"the weights belong to another architecture: {file.path} has no tensor of this backbone, such as "
            f"{next(iter(own))}; it has {_abbreviate(list(file.tensors))}"
        )
    return max((network for count, network in networks if count >= _SIMILAR * most), key=lambda network: network.rank)


def _find_networks(tensors: Mapping[str, Tensor], own: Sequence[str]) -> Iterator[_Network]:
    """Yield the networks in a file, for each layout that it may have."""
    for layout in list_layouts(own):
        for prefix in layout.find_prefixes(tensors):
            yield _Network(layout.name, prefix, layout.convert(strip_prefix(tensors, prefix)))


def _leave_out(network: _Network, own: Collection[str], heads: Collection[str]) -> tuple[StateDict, dict[str, str]]:
    """Return a network without the parts that a backbone does not need, and their kinds by their names in the file."""
    parts = {name.partition(".")[0] for name in own}
    removed = tuple(f"{head}." for head in heads)
    kept, left_out = {}, {}
    for name, tensor in network.state.items():
        part, dot, _ = name.partition(".")
        kind = "head" if name.startswith(removed) else None if part in parts else _find_extra(part)
        if kind is not None:
            left_out[f"{network.prefix}{part}{dot and '.*'}"] = kind
        elif not name.endswith(_COMPUTED):
            kept[name] = tensor
    return kept, left_out


def _find_extra(part: str) -> str | None:
    """Return the kind of a part that a backbone does not need; None if it may need the part."""
    return next((kind for extra, kind in _EXTRAS.items() if extra.fullmatch(part)), None)


def _list_others(names: Iterable[str], prefix: str) -> dict[str, str]:
    """Return the tensors of a file outside of a network, by the beginnings of their names."""
    depth = prefix.split(".")
    others = {}
    for name in names:
        if not name.startswith(prefix):
            parts = name.split(".")
            same = next(index for index, part in enumerate(parts) if index >= len(depth) or part != depth[index])
            others[".".join(parts[: same + 1]) + (".*" if len(parts) > same + 1 else "")] = "outside of the network"
    return others


def _require_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Refuse tensors of other shapes than those of the module."""
    if mismatched := [name for name in state if state[name].shape != own[name].shape]:
        first = mismatched[0]
        raise ValueError(
            f"the weights have another shape: {first} is {tuple(state[first].shape)} in the file and "
            f"{tuple(own[first].shape)} in this model; check the backbone's parameters, such as its patch size or stem"
        )


def _describe_changes(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> dict[str, str]:
    """Describe how the tensors of a file were changed, by their names in the module."""
    changes = {}
    for name in (name for name in after if name in before and before[name].shape != after[name].shape):
        old, new = before[name].shape, after[name].shape
        if len(old) == 4 and len(new) == 4:
            channels = [f"{old[1]} to {new[1]} channels"] if old[1] != new[1] else []
            sides = [f"{old[2]}x{old[3]} to {new[2]}x{new[3]} pixels"] if old[2:] != new[2:] else []
            changes[name] = ", ".join([*channels, *sides])
        else:
            changes[name] = f"resized from {tuple(old)} to {tuple(new)}"
    types = {(before[name].dtype, own[name].dtype) for name in before if name in own}
    if converted := sorted({f"{old} to {new}".replace("torch.", "") for old, new in types if old != new}):
        changes["all"] = ", ".join(converted)
    return changes


def first_convolution(body: nn.Module) -> str | None:
    """Return the name of the first convolution, which sees the images; None without one."""
    return next((name for name, module in body.named_modules() if isinstance(module, nn.Conv2d)), None)


def adapt_channels(filters: Tensor, channels: int) -> Tensor:
    """Adapt filters (D, C, H, W) to another number of channels, with responses of the same magnitude.

    For one channel the filters are summed, so that a gray image gets the response of its RGB copy. For more, the
    channels are repeated in turn and scaled by C / channels.
    """
    before = filters.shape[1]
    if channels == before:
        return filters
    if channels == 1:
        return filters.sum(dim=1, keepdim=True)
    return filters[:, torch.arange(channels) % before] * (before / channels)


def _list_names(*groups: str | list[str]) -> str:
    """Format words, each followed by its first three names: ``without a, b, c and 3 more, with d``."""
    words, names = groups[::2], groups[1::2]
    return ", ".join(f"{word} {_abbreviate(list(few))}" for word, few in zip(words, names, strict=True) if few)


def _abbreviate(names: Sequence[str]) -> str:
    """Return the first three names, and the number of the others."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
