"""The lock under which SDKs are imported: their modules import each other in circles."""

import threading

SDK_IMPORTS = threading.Lock()
"""Two threads that enter such a circle side by side would see modules that are not complete yet."""
