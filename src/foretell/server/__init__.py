"""An OpenAI-compatible HTTP server.

HTTP → requests of an AsyncLLM → answers, whole or as a stream of events
"""
