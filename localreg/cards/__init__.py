"""Model cards: what a registry knows of a model version, as the README.md that people publish with it."""
