"""`python -m bench.shoppers.build ORDER`, in an empty, migrated database: the workspace of `bench/shoppers/shop.py`.

ORDER is JSON: {"receiver": address, "smtp_port": number, "unwilling": ids of sessions}.
"""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

import django

django.setup()

from bench.shoppers import shop  # noqa: E402

if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    shop.build(**{**order, "unwilling": [shop.address(id) for id in order["unwilling"]]})
