"""The paper's comparison as a list of jobs that can stop after any of them, and its figures."""
