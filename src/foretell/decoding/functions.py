"""Users' functions: the form in which each is written, and what is said of one that is wrong.

The table of settings has the forms of each: foretell's own, and transformers' as the last one. Two
with as many arguments are told apart by what these are called: transformers' are `input_ids` and
`scores`. What a function raises is not touched; what it returns is checked, and named if wrong.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.config import GenerationConfig
from foretell.config.settings import FUNCTION_SETTINGS, SETTINGS
from foretell.errors import ConfigError
from foretell.utils.quoting import quote
from foretell.utils.tensors import to_numpy, to_plain

THEIR_CLASSES = ("LogitsProcessor", "StoppingCriteria")


@dataclass(frozen=True)
class UserFunction:
    """A function that a setting took, and how it is called.

    Attributes:
        setting: that took it.
        call: the function.
        num_arguments: with so many.
        is_transformers: whether it has transformers' form.
    """

    setting: str
    call: Callable[..., Any]
    num_arguments: int
    is_transformers: bool

    @property
    def label(self) -> str:
        """The setting and the function, for messages."""
        return f"{self.setting} {name_of(self.call)!r}"

    def wrong(self, what: str, right: str) -> ConfigError:
        """The error of what it returned, in words."""
        return ConfigError(f"{self.label} returned {what}: must return {right}")


def name_of(function: Callable[..., Any]) -> str:
    """The function's name, or its class's."""
    return str(getattr(function, "__name__", type(function).__name__))


def read_function(
    setting: str, function: Callable[..., Any], *, is_transformers: bool | None = None
) -> UserFunction:
    """How the function is to be called; `is_transformers` where that is known.

    Raises ConfigError, with the forms that it may have, if it can be called in none of them.
    """
    forms = SETTINGS[setting].forms
    *own, theirs = map(num_arguments_of, forms)
    if is_transformers:
        forms = forms[-1:]
    if _is_async(function):
        raise _unfit(setting, function, "is async", forms)
    taken = _taken(function)
    if taken is None or (taken.least == 0 and taken.most == math.inf):  # nobody knows
        is_theirs = bool(is_transformers)
        return UserFunction(setting, function, theirs if is_theirs else own[-1], is_theirs)
    if taken.by_name:
        raise _unfit(setting, function, f"needs {taken.by_name!r} by name", forms)
    if is_transformers is None:
        is_transformers = _has_their_form(function, taken, own, theirs)
    fitting = [number for number in ([theirs] if is_transformers else own) if taken.takes(number)]
    if not fitting:
        is_one = taken.least == 1
        needs = f"needs {taken.least:g} argument{'' if is_one else 's'}"
        raise _unfit(setting, function, needs, forms)
    number = fitting[0]
    if len(fitting) > 1 and taken.names[1:2] == ("history",):  # which has a default
        number = fitting[1]
    return UserFunction(setting, function, number, is_transformers)


def check_functions(config: GenerationConfig) -> None:
    """Raise ConfigError if one of the settings' functions could not be called."""
    for setting in FUNCTION_SETTINGS:
        value = getattr(config, setting)
        for function in () if value is None else functions_of(value):
            if callable(function):  # a chain has names, too
                read_function(setting, function)


def functions_of(value: Any) -> tuple[Any, ...]:
    """One or several as several, none where there is no value."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def num_arguments_of(form: str) -> int:
    """How many arguments a form such as "f(row, history)" has."""
    return form.count(",") + 1


class _Taken(NamedTuple):
    """What a function takes: so many arguments, of these names, and one that must be named."""

    least: float
    most: float
    names: tuple[str, ...]
    by_name: str

    def takes(self, number: int) -> bool:
        return self.least <= number <= self.most


def _taken(function: Callable[..., Any]) -> _Taken | None:
    """None where nobody knows: built in, without a signature."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    placed = [one for one in parameters if one.kind in kinds]
    needed = [one for one in placed if one.default is inspect.Parameter.empty]
    takes_any = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    named = [
        one.name
        for one in parameters
        if one.kind is inspect.Parameter.KEYWORD_ONLY and one.default is inspect.Parameter.empty
    ]
    most = math.inf if takes_any else len(placed)
    names = tuple(one.name for one in placed)
    return _Taken(len(needed), most, names, named[0] if named else "")


def _has_their_form(
    function: Callable[..., Any], taken: _Taken, own: Sequence[int], theirs: int
) -> bool:
    if theirs not in own:
        return taken.least >= theirs
    is_theirs = any(
        kind.__name__ in THEIR_CLASSES and kind.__module__.startswith("transformers.")
        for kind in type(function).__mro__
    )
    is_named = taken.names[:1] == ("input_ids",) or taken.names[1:2] == ("scores",)
    return taken.takes(theirs) and (is_theirs or is_named)


def _is_async(function: Callable[..., Any]) -> bool:
    method = vars(type(function)).get("__call__")
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(method)


def _unfit(
    setting: str, function: Callable[..., Any], what: str, forms: Sequence[str]
) -> ConfigError:
    right = " or ".join(forms)
    return ConfigError(f"{setting} {name_of(function)!r} {what}: must be a plain function {right}")


def numbers_of(user: UserFunction, result: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """The row that it returned, of this shape; ConfigError if it is none."""
    try:
        found = to_numpy(result)
    except (TypeError, ValueError, RuntimeError):  # of lists of unequal lengths, and the like
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "iuf" or found.shape != shape:
        right = f"an array of floats, of the shape {shape}"
        raise user.wrong(_shown(result), right if user.is_transformers else f"None or {right}")
    return found


def ids_of(user: UserFunction, result: Any, vocab_size: int) -> NDArray[np.int64]:
    """The token ids that it returned, distinct and ascending; ConfigError if there are none."""
    right = f"at least one token id, 0 to {vocab_size - 1}"
    plain = to_plain(result)
    if isinstance(plain, (str, bytes)) or not isinstance(plain, Iterable):
        raise user.wrong(_shown(result), right)
    found = [*plain]
    try:
        ids = sorted({operator.index(one) for one in found if not isinstance(one, bool)})
    except TypeError:
        raise user.wrong(_shown(found), right) from None
    if not ids or any(isinstance(one, bool) for one in found):
        raise user.wrong(_shown(found), right)
    for token_id in (ids[0], ids[-1]):
        if not 0 <= token_id < vocab_size:
            raise user.wrong(f"the token id {token_id}", right)
    return np.array(ids, dtype=np.int64)


def verdict_of(user: UserFunction, result: Any) -> bool:
    """Whether it says that a text ends; ConfigError if it says neither."""
    right = "True or False"
    if isinstance(result, (str, bytes)) or inspect.isgenerator(result):
        raise user.wrong(_shown(result), right)
    if isinstance(result, np.ndarray) or hasattr(result, "new_tensor"):
        verdicts = to_numpy(result)
        if verdicts.size != 1 and not (user.is_transformers and verdicts.size):
            raise user.wrong(_shown(result), right)
        return bool(verdicts.any())
    try:
        return bool(result)
    except (TypeError, ValueError):  # of another library's array
        raise user.wrong(_shown(result), right) from None


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
        return f"{type(value).__name__} of the shape {tuple(shape)} and type {dtype}"
    if value is None or isinstance(value, (bool, int, float, str, bytes, list, tuple)):
        return quote(value)
    return type(value).__name__
