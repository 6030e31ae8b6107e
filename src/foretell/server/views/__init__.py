"""`/v1/foretell/…`: what `analysis/` finds out of a prompt, as JSON; the playground shows it."""
