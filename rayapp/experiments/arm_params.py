"""What an arm may change of a request, typed: a misspelt parameter is an error when the experiment begins, not a null result."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class ArmParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each is as the configuration has it where an arm says nothing.

    `model`: a name, name@version or name@alias. `ranker`: by interests, or what is popular and fresh. `k`: length of a
    list where the request names none. `history`: events of all scenarios or of the request's alone. `explore`: share of
    places given to chance. `moderation`: off (a person's verdicts hold still), or a policy that the configuration names.
    `llm`: whether RedOne reads queries. `post_view`: whether there are queries after a note.
    """

    model: str | None = None
    ranker: Literal["interests", "popular"] | None = None
    k: Annotated[int, Meta(ge=1, le=200)] | None = None
    history: Literal["all", "scenario"] | None = None
    explore: Annotated[float, Meta(ge=0, le=1)] | None = None
    moderation: Annotated[str, Meta(min_length=1)] | None = None
    llm: bool | None = None
    post_view: bool | None = None

    def over(self, other: ArmParams) -> ArmParams:
        """Both, these first."""
        return ArmParams(
            **{
                name: getattr(self, name) if getattr(self, name) is not None else getattr(other, name)
                for name in self.__struct_fields__
            }
        )


DEFAULT = ArmParams()
