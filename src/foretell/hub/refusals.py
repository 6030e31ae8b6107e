"""What the hub, or the way to it, refuses: one sentence each, with what to do about it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import cast

from foretell.errors import DownloadError, ForetellError, ModelNotFoundError
from foretell.hub.cache import CacheFolder, explain_storage
from foretell.hub.names import HubModel
from foretell.hub.shared_cache import shared_cache_dir
from foretell.utils.quoting import TEXT, one_line, quote

SHARED_CACHE = CacheFolder(shared_cache_dir, "HF_HOME")


class UnreachableError(DownloadError):
    """The hub does not answer, or cannot now; what is cached may do instead.

    Only the hub's own modules distinguish it from other DownloadErrors.
    """


@contextlib.contextmanager
def hub_errors(model: HubModel) -> Iterator[None]:
    """Turn what huggingface_hub raises while the model is fetched into foretell's errors.

    Raises:
        ModelNotFoundError: the hub has no such repository or revision.
        UnreachableError: the hub does not answer.
        DownloadError: it refuses, answers nonsense, or the disk does.
    """
    from huggingface_hub.errors import HfHubHTTPError

    # The root of the errors of whichever HTTP library this huggingface_hub uses.
    transport_error = cast(type[Exception], HfHubHTTPError.__bases__[0])
    try:
        yield
    except ForetellError:
        raise
    except (transport_error, OSError) as error:
        raise _explain(model, error) from error
    except (ValueError, RuntimeError) as error:  # what hf_xet and http_get raise
        raise DownloadError(
            f"{model.title} cannot be fetched ({_reason(error)}): pull it again; "
            "HF_HUB_DISABLE_XET=1 fetches it another way"
        ) from error


@contextlib.contextmanager
def answer_errors(model: HubModel) -> Iterator[None]:
    """Turn what huggingface_hub raises at an answer that no hub gives into foretell's errors.

    Raises:
        ModelNotFoundError: the repository's name cannot be one.
        DownloadError: the answer is nonsense.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except HfHubHTTPError:  # an answer that a hub does give
        raise
    except (ValueError, LookupError, TypeError) as error:
        raise _explain_answer(model, error) from error


def endpoint() -> str:
    """The address of the hub: HF_ENDPOINT, or the public one."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _explain(model: HubModel, error: Exception) -> ForetellError:
    from huggingface_hub.errors import (
        FileMetadataError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return _explain(model, error.__cause__)
    if isinstance(error, HfHubHTTPError):
        return _explain_refusal(model, error)
    if isinstance(error, OfflineModeIsEnabled):
        return UnreachableError(f"{model.title} cannot be fetched: HF_HUB_OFFLINE is set")
    if isinstance(error, FileMetadataError):
        return _no_hub(model, error)
    if isinstance(error, OSError):
        return DownloadError(_explain_disk(model, error))
    return UnreachableError(
        f"{model.title} cannot be fetched, {endpoint()} does not answer ({_reason(error)}): "
        "check the network, a proxy, HF_ENDPOINT; what has arrived whole is kept"
    )


def _explain_refusal(model: HubModel, error: Exception) -> ForetellError:
    from huggingface_hub.errors import (
        DisabledRepoError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return DownloadError(_gated_message(model))
    if isinstance(error, RevisionNotFoundError):
        return ModelNotFoundError(
            f"{model.repo} has no revision {quote(model.revision, TEXT)}: give a branch (such as "
            "'main'), a tag or a commit"
        )
    if isinstance(error, RepositoryNotFoundError):
        return ModelNotFoundError(_not_found_message(model))
    if isinstance(error, DisabledRepoError):
        return DownloadError(f"{model.repo} was disabled, and cannot be fetched any more")
    return _explain_status(model, error)


def _not_found_message(model: HubModel) -> str:
    token = "the token that is set may not read it" if _has_token() else "it needs HF_TOKEN"
    return (
        f"no model {model.repo!r} at {endpoint()}, nor a file or folder of that name here: "
        f"check the spelling; if it is private, {token}"
    )


def _gated_message(model: HubModel) -> str:
    page = f"{endpoint()}/{model.repo}"
    if _has_token():
        return (
            f"{model.repo} is gated, and the token that is set has no access to it: "
            f"ask for access at {page}"
        )
    return (
        f"{model.repo} is gated: ask for access at {page}, make a token at "
        f"{endpoint()}/settings/tokens, and set HF_TOKEN to it (or run `hf auth login`)"
    )


def _has_token() -> bool:
    from huggingface_hub import get_token

    return get_token() is not None


def _explain_status(model: HubModel, error: Exception) -> ForetellError:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    if status == 401:
        return DownloadError(
            f"{endpoint()} does not accept the token that is set: "
            "check HF_TOKEN, or run `hf auth login`"
        )
    if status == 429:
        return UnreachableError(
            f"{model.title} cannot be fetched, {endpoint()} has had too many requests from here "
            "(429): try again in some minutes; with HF_TOKEN more are allowed"
        )
    if status >= 500:
        return UnreachableError(
            f"{model.title} cannot be fetched, {endpoint()} is in trouble (HTTP {status}): "
            "try again later"
        )
    return DownloadError(
        f"{model.title} cannot be fetched, {endpoint()} refuses (HTTP {status}): "
        "check HF_TOKEN and HF_ENDPOINT"
    )


def _explain_disk(model: HubModel, error: OSError) -> str:
    if error.errno is None:  # not the system's: huggingface_hub's, on a body of the wrong length
        return f"{model.title} did not arrive whole ({_reason(error)}): pull it again"
    return explain_storage(error, SHARED_CACHE)


def _explain_answer(model: HubModel, error: Exception) -> ForetellError:
    from huggingface_hub.errors import HFValidationError

    if isinstance(error, HFValidationError):
        return ModelNotFoundError(f"{model.repo!r} cannot be a model's id ({_reason(error)})")
    return _no_hub(model, error)


def _no_hub(model: HubModel, error: Exception) -> DownloadError:
    return DownloadError(
        f"{model.title} cannot be fetched, {endpoint()} does not answer as a hub does "
        f"({_reason(error)}): check HF_ENDPOINT, and what stands between it and you"
    )


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return one_line(lines[0]).rstrip(".:") if lines else type(error).__name__
