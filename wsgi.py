"""The WSGI entry: ``granian --interface wsgi wsgi:app``."""

from app import create_app
from config import Settings

app = create_app(Settings.from_environ())
