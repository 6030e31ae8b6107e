"""What tests share: toy models, oracles, contracts."""
