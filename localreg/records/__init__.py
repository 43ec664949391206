"""Records: frozen data as the log keeps it, one class for each kind of thing."""
