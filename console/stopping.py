"""Whether this process has been told to stop. A stream ends itself at once when it has, so that stopping takes no
longer than an ordinary request: `while not stopping.wait(1): …`."""

import threading

stopping = threading.Event()
