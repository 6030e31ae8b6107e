"""How fast foretell is: alone, beside its peers, and in the parts of a step."""
