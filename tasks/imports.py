"""Jobs of imports and exports. Each does some seconds of work and asks for the next of its kind."""

from __future__ import annotations

from time import sleep
from uuid import UUID

from flask import current_app
from sqlalchemy.orm import Session

from app.domain.catalog.exporting.running import make_export as write_export
from app.domain.catalog.importing.limits import PICTURE_BYTES
from app.domain.catalog.importing.pictures import PictureNotFetched, bring_pictures
from app.domain.catalog.importing.running import go_on
from app.domain.catalog.importing.undoing import go_on_taking_back
from app.i18n import DEFAULT_LOCALE, using_locale
from app.i18n import gettext as _
from app.jobs import Topic
from app.providers.web_files import NotAllowed, NotGiven, WebFiles
from tasks.politeness import be_polite
from tasks.runner import handles

# After each chunk, so many times as long as it took: the database's processes know nothing of our
# politeness, and who opens a page meanwhile shares two cores with them.
REST = 3


@handles(Topic.GO_ON_WITH_IMPORT, external=True)
def go_on_with_import(session: Session, import_id: str, language: str = DEFAULT_LOCALE) -> None:
    """Bring the next products of a file in; what is noted of it is in this language."""
    be_polite()
    with using_locale(language):
        go_on(session, UUID(import_id), rest=lambda took: sleep(REST * took))


@handles(Topic.TAKE_IMPORT_BACK, external=True)
def take_import_back(session: Session, import_id: str) -> None:
    """Take the next products of an import back."""
    be_polite()
    go_on_taking_back(session, UUID(import_id))


@handles(Topic.FETCH_IMPORT_PICTURES, external=True)
def fetch_import_pictures(session: Session, import_id: str, language: str = DEFAULT_LOCALE) -> None:
    """Bring the next pictures that a file named."""
    be_polite()
    settings = current_app.config["SETTINGS"]
    files = WebFiles(
        most_bytes=PICTURE_BYTES,
        hosts=settings.picture_hosts,
        allowed=settings.picture_test_hosts,
    )

    def fetch(url: str) -> bytes:
        try:
            return files.fetch(url)
        except NotAllowed as no:
            raise PictureNotFetched(
                _(
                    "Pictures are not fetched from this address. Put the file beside the sheet, in a ZIP."
                )
            ) from no
        except NotGiven as no:
            raise PictureNotFetched(
                _("The address gave no picture (%(why)s).", why=_(str(no)))
            ) from no

    try:
        with using_locale(language):
            bring_pictures(session, UUID(import_id), fetch)
    finally:
        files.close()


@handles(Topic.MAKE_EXPORT, external=True)
def make_export(session: Session, export_id: str) -> None:
    """Write a store's whole export."""
    be_polite()
    write_export(session, UUID(export_id))
