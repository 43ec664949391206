"""Rows in bulk: samples with ground truths, and inferences, from tables of any kind, without a Python object each."""
