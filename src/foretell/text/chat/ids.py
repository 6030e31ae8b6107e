"""Prompts that a chat template made."""


class ChatPrompt(list[int]):
    """The token ids of a conversation: a prompt like any other, and known for what it is."""
