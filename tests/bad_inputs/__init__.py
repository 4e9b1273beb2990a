"""Inputs that are wrong, each with what is said about it: by module and function.

Noise has a table of its own (tests/noise/errors_test.py), and so have the fields of a
configuration (tests/training/check_test.py) and the flags of the training command
(tests/commands/train_test.py).
"""
