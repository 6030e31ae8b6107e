"""What the user asks for: generation settings, validated the moment they are made.

Names are those of Hugging Face's `GenerationConfig`; what it lacks takes the name that vLLM or
llama.cpp gave it.

Beside a token's way: steps 1 and 5 read the settings, and no step changes them.
"""

from foretell.config.generation import GenerationConfig
from foretell.config.ranges import FINITE, Range
from foretell.config.settings import RANGES

__all__ = ["FINITE", "RANGES", "GenerationConfig", "Range"]
