"""Running the code of a model: in a process of its own, or in this one."""
