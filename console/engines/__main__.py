"""`python -m console.engines` is what `manage.py up` becomes."""

import sys

from console.engines.supervisor import main

if __name__ == "__main__":
    sys.exit(main())
