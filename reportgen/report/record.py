"""What everything that travels is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of all records: frozen, no unknown keys, no NaN in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __dir__(self) -> list[str]:
        # Completion offers what a record holds, not the thirty names of the library beneath it.
        library = dir(BaseModel)
        return sorted(n for n in super().__dir__() if n not in library and not n.startswith("_"))
