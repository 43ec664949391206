"""Model definitions: what a model is made of and how it is run, said once in YAML, registered, loaded and tested."""
