"""The ways out of a node, which edges name by their `sourceHandle`.

plain                an edge without a handle         llm_call, send_message, ...
needed, allowed      edges with these handles         logic: true, false      loop: body; done
"""

from __future__ import annotations

from dataclasses import dataclass

ERROR = "error"
"""Each node that can fail may have an edge of this handle: where the run goes on if it does."""


@dataclass(frozen=True, slots=True)
class Exits:
    """Which edges may leave a node.

    Attributes:
        plain: whether an edge may have no handle.
        same: the handle that an edge without one stands for; "" where it stands for itself.
        needed: handles that must each have an edge.
        allowed: handles that may have one.
        can_fail: whether there may be an edge with the handle `error`.
    """

    plain: bool = True
    same: str = ""
    needed: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    can_fail: bool = True

    @property
    def named(self) -> tuple[str, ...]:
        """All handles."""
        return (*self.needed, *self.allowed, *((ERROR,) if self.can_fail else ()))


PLAIN = Exits()
