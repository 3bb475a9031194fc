"""What an experiment arm may change, typed: a misspelt parameter is an error at the start, not a null result."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,63}$")]


class RankerParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second ranker; where a key is not set, the arm's value holds. The keys are those of ArmParams."""

    model: str | None = None
    ranker: Name | None = None
    history: Literal["all", "scenario"] | None = None


class ArmParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where an arm sets nothing, the configuration holds.

    `model`: a name, name@version or name@alias.
    `ranker`: interests, popular, or another source that serving knows.
    `k`: length of a list where the request names none.
    `history`: events of all scenarios, or only of the request's scenario.
    `explore`: share of slots filled uniformly at random.
    `moderation`: off (a person's verdicts still hold), or a policy that the configuration names.
    `llm`: whether the language model reads search queries.
    `post_view`: whether queries are offered after a note.
    `interleave`: another ranker whose notes share the arm's lists, by team draft.
    """

    model: str | None = None
    ranker: Name | None = None
    k: Annotated[int, Meta(ge=1, le=200)] | None = None
    history: Literal["all", "scenario"] | None = None
    explore: Annotated[float, Meta(ge=0, le=1)] | None = None
    moderation: Annotated[str, Meta(min_length=1)] | None = None
    llm: bool | None = None
    post_view: bool | None = None
    interleave: RankerParams | None = None

    def over(self, other: ArmParams | RankerParams) -> ArmParams:
        """Both, these first."""
        return ArmParams(
            **{
                name: getattr(self, name) if getattr(self, name) is not None else getattr(other, name, None)
                for name in self.__struct_fields__
            }
        )

    def second(self) -> ArmParams:
        """The same with the other ranker of an interleaved arm."""
        assert self.interleave is not None
        changed = {name: getattr(self.interleave, name) for name in self.interleave.__struct_fields__}
        return msgspec.structs.replace(
            self, interleave=None, **{name: value for name, value in changed.items() if value is not None}
        )


DEFAULT = ArmParams()
