"""Looking inside: views of what was generated, and of what could have been."""
