"""The guide: every setting in words, numbers and a worked example.

Nothing here loads a model.
"""
