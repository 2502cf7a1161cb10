"""Whom all clients sign as; the keys are good for nothing, the canned server does not look at them."""

REGION = "us-east-1"
Keys = tuple[str, str]
KEYS: Keys = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
ACCOUNT = "benchaccount"
"""Of Azure; it is in the path, as before any server of an address without names."""
ACCOUNT_KEY = "YSBrZXkgZm9yIGEgc2VydmVyIG9uIGxvb3BiYWNr"
