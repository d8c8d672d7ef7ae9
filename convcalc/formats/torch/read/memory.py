"""Which values of a traced program are the same memory, so that writing into one changes the others."""

from __future__ import annotations

from typing import NamedTuple

from convcalc.formats.torch.read.records import Call, Ref

# Operators whose result is their argument's memory, all of it in the same order.
WHOLE = {"dropout", "feature_dropout", "detach", "alias", "view", "unsqueeze", "squeeze", "to", "view_as"}
# Those that give the memory itself if it is in order, and else a copy.
WHOLE_OR_COPY = {"contiguous", "reshape", "flatten", "unflatten", "reshape_as"}
# Those whose result is a part of it, or all of it in another order.
PARTS = {
    "slice", "narrow", "select", "permute", "transpose", "t", "expand", "expand_as", "unbind", "split", "chunk",
    "split_with_sizes", "tensor_split", "getitem", "swapaxes", "swapdims", "numpy_T", "diagonal", "unfold",
}  # fmt: skip


class Place(NamedTuple):
    """Where a value lies: the value that its memory was made for, and whether it is all of it in order."""

    owner: str
    whole: bool


class Memory:
    """The places of the values met so far."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._members: dict[str, list[str]] = {}

    def place(self, name: str) -> Place:
        """Where a value lies; by itself, if nothing else is known."""
        return self._places.get(name, Place(name, True))

    def record(self, call: Call) -> None:
        """Note where the result of a call lies."""
        first = written_argument(call)
        if first is None:
            return
        place = self.place(first)
        if call.op in WHOLE or (call.op in WHOLE_OR_COPY and place.whole) or writes(call):
            self._put(call.name, place)
        elif call.op in PARTS:
            self._put(call.name, Place(place.owner, False))

    def _put(self, name: str, place: Place) -> None:
        self._places[name] = place
        self._members.setdefault(place.owner, []).append(name)

    def changed(self, name: str) -> tuple[list[str], list[str]]:
        """The values that have the same numbers in the same order as a value that is written into, itself among them,
        and those that have some of them."""
        place = self.place(name)
        family = [place.owner, *self._members.get(place.owner, ())]
        if not place.whole:
            return [name], [other for other in family if other != name]
        whole = [other for other in family if self.place(other).whole]
        return whole, [other for other in family if not self.place(other).whole]


def written_argument(call: Call) -> str | None:
    """The name of the first argument, if it is a tensor."""
    first = call.arguments.get("self", call.arguments.get("input"))
    return first.name if isinstance(first, Ref) else None


def writes(call: Call) -> bool:
    """Whether a call writes its result into its first argument: PyTorch's name for it ends with `_`."""
    return call.op.endswith("_") and not call.op.endswith("__")
