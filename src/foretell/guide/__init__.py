"""The guide: every setting in words, numbers and a worked example.

Nothing here loads a model.

Beside a token's way: describes the settings of step 1.
"""
