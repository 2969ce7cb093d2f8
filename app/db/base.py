"""The base of every model and what every store's table has in common."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Enum, LargeBinary, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from app.db.tenancy import bound_store
from app.ids import new_id

NAMING = {
    "ix": "%(column_0_label)s",
    "uq": "%(table_name)s_%(column_0_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    # A registry, and not a type_annotation_map: Flask-SQLAlchemy copies this class's attributes.
    registry = registry(
        metadata=MetaData(schema="app", naming_convention=NAMING),
        type_annotation_map={
            datetime: DateTime(timezone=True),
            UUID: Uuid(),
            bytes: LargeBinary(),
            str: Text(),
            dict[str, Any]: JSONB(),
            list[Any]: JSONB(),
            # Statuses are text in the database, by value; the triggers know which are legal.
            enum.Enum: Enum(
                enum.Enum,
                native_enum=False,
                create_constraint=False,
                length=40,
                values_callable=lambda kind: [member.value for member in kind],
            ),
        },
    )


class StoreOwned:
    """A row that belongs to one store: ``(store_id, id)`` is its key.

    The store comes from the session's binding, in Python and again in the database;
    row-level security refuses any other.
    """

    store_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, default=bound_store, server_default=text("app.store_id()")
    )
    # The sentinel tells SQLAlchemy which row that comes back is which, so that many new rows are one
    # INSERT. It looks for none by itself where a key has a default in the database, as store_id has,
    # and then sends row by row: each with its statement's triggers.
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, insert_sentinel=True)
