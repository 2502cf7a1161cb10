"""Whom all clients sign as; the keys are good for nothing, the canned server does not look at them."""

REGION = "us-east-1"
Keys = tuple[str, str]
KEYS: Keys = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
