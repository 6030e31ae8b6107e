"""The guide (row 1 of the design): every setting in words, numbers and a worked example.

Nothing here loads a model.
"""
