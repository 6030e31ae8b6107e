"""An OpenAI-compatible HTTP server.

HTTP → requests of an AsyncLLM → answers, whole or as a stream of events

Beside a token's way: asks at step 1 by way of `worker/`, and sends what comes of step 8.
"""
