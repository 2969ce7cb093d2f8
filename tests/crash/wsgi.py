"""The product's web process, watched for crash points."""

from tests.crash.points import arm

arm("web")

from wsgi import app  # noqa: E402, F401 - watched from the first import on
