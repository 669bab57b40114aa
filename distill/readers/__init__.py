"""Readers of the layouts in which labelled lesion images come."""
