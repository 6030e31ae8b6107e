"""Looking inside: views of what was generated, and of what could have been.

Beside a token's way: reads the outputs of step 8.
"""
