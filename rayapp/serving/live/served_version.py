"""One version of a model, ready to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rayapp.redrec.model.redrec import UserSide
from rayapp.serving.live.item_index import ItemIndex
from rayapp.stores.registry import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class ServedVersion:
    """User side and item indexes of the same version, never mixed with another's.

    `name`: of the model, empty for the configured one. `indexes`: by moderation, as the catalogues are; the empty name
    is the configured moderation.
    """

    name: str
    version: int
    manifest: Manifest
    user: UserSide
    indexes: Mapping[str, ItemIndex]

    @property
    def model_version(self) -> str:
        """As answers and exposures name it: the version, and for another model than the configured one its name."""
        return f"{self.name}@{self.version}" if self.name else str(self.version)

    @property
    def index(self) -> ItemIndex:
        """Of the catalogue as everybody sees it."""
        return self.indexes[""]
