"""What any room may use.

Beside a token's way: knows none of its steps.
"""
