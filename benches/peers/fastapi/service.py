"""The old way: an event store as a FastAPI service with SQLAlchemy on PostgreSQL.

One request appends one event: read the stream's version, insert, commit, answer with the row. It stands here to be
measured beside the log, so it does what such a service does and nothing slower.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, DateTime, Identity, Integer, String, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# As many connections as there are writers: none waits for another's.
engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=64, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What all tables share."""


class Event(Base):
    """One event. The unique constraint turns a lost race for a version into an error."""

    __tablename__ = "event_store"
    __table_args__ = (UniqueConstraint("aggregate_type", "aggregate_id", "aggregate_version"),)

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), unique=True, default=uuid.uuid4)
    aggregate_type: Mapped[str] = mapped_column(String(100))
    aggregate_id: Mapped[str] = mapped_column(String(255))
    aggregate_version: Mapped[int] = mapped_column(Integer)
    event_type: Mapped[str] = mapped_column(String(100))
    occurred_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), default=lambda: datetime.now(timezone.utc)
    )
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    event_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB)


class EventIn(BaseModel):
    """The body of a request."""

    aggregate_type: str = Field(min_length=1, max_length=100)
    aggregate_id: str = Field(min_length=1, max_length=255)
    event_type: str = Field(min_length=1, max_length=100)
    data: dict[str, Any]
    metadata: dict[str, Any] = Field(default_factory=dict)


class EventOut(BaseModel):
    """The body of an answer."""

    model_config = ConfigDict(from_attributes=True)

    position: int
    event_id: uuid.UUID
    aggregate_type: str
    aggregate_id: str
    aggregate_version: int
    event_type: str
    occurred_at: datetime
    data: dict[str, Any]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Makes the table where it is missing."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[AsyncSession]:
    """A session for one request."""
    async with sessions() as opened:
        yield opened


@app.post("/api/v1/events", status_code=201, response_model=EventOut)
async def append(event: EventIn, database: AsyncSession = Depends(session)) -> Event:
    """Appends one event behind the last of its stream."""
    version = await database.scalar(
        select(func.max(Event.aggregate_version)).where(
            Event.aggregate_type == event.aggregate_type, Event.aggregate_id == event.aggregate_id
        )
    )
    row = Event(
        aggregate_type=event.aggregate_type,
        aggregate_id=event.aggregate_id,
        aggregate_version=(version or 0) + 1,
        event_type=event.event_type,
        data=event.data,
        event_metadata=event.metadata,
    )
    database.add(row)
    await database.commit()
    return row
