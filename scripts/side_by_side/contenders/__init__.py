"""Ways to distil the same student: each file has functions `(work) -> seconds of its own`."""
