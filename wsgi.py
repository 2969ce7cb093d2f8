"""The WSGI entry: ``granian --interface wsgi wsgi:app``."""

import gc

from app import create_app
from config import Settings

app = create_app(Settings.from_environ())

# What a process is made of at its start stays: the collector need not look at it ever again.
gc.collect()
gc.freeze()
