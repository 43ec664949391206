"""Workers: what runs a model's code, in a process of its own or in a thread of this one."""
