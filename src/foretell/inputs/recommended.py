"""The settings that a model's files recommend: looked at when `preset="model"` asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretell.config import GenerationConfig
from foretell.config.conflicts import beside_stated
from foretell.errors import ConfigError, ModelFileError
from foretell.utils.quoting import one_line


class Recommended(dict[str, Any]):
    """Settings by name, as the files state them: unchecked.

    Attributes:
        source: where they come from, for messages.
        fault: why nothing could be read there; None if it could.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        source: object = "the model",
        fault: str | None = None,
    ) -> None:
        super().__init__(settings or {})
        self.source = source
        self.fault = fault

    def config(self, stated: Mapping[str, Any] | None = None) -> GenerationConfig:
        """The settings, checked, that fill what the user has not stated.

        Raises:
            ConfigError: there are none.
            ModelFileError: the file cannot be read, or a setting is impossible.
        """
        if self.fault is not None:
            raise ModelFileError(f"preset='model': {self.fault}")
        if not self:
            raise ConfigError("preset='model': this model's files recommend no settings")
        try:
            return GenerationConfig(**beside_stated(self, stated or {}))
        except ConfigError as error:
            raise ModelFileError(
                f"preset='model': {self.source} recommends impossible settings: {one_line(error)}"
            ) from error
