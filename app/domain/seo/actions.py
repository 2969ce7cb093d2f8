"""Writing a store's sitemap."""

from __future__ import annotations

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utcnow
from app.db.tenancy import bound_store
from app.domain.seo.models import Sitemap
from app.domain.seo.queries import addresses
from app.domain.seo.sitemap import sitemap_files
from app.domain.stores.models import Store


def write_sitemap(session: Session, store: Store, base_url: str) -> int:
    """Write the store's sitemap as it should be now, and return how many addresses it has.

    ``base_url`` is the store's own address without a slash at the end. Running it again
    writes the same; goods that are no longer on sale are gone from it.
    """
    pages = addresses(session, utcnow())
    files = sitemap_files(pages, base_url)
    counts = {name: body.count("<url>") for name, body in files.items()}
    statement = insert(Sitemap).values(
        [
            {
                "store_id": bound_store(),
                "name": name,
                "body": body,
                "urls": counts[name],
                "content_version": store.content_version,
                "made_at": func.clock_timestamp(),
            }
            for name, body in files.items()
        ]
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["store_id", "name"],
            set_={
                column: statement.excluded[column]
                for column in ("body", "urls", "content_version", "made_at")
            },
        )
    )
    session.execute(
        delete(Sitemap).where(Sitemap.store_id == bound_store(), Sitemap.name.not_in(list(files)))
    )
    return len(pages)
