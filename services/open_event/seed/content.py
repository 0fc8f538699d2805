"""What an event holds: rooms, tracks, sponsors, its call and form, speakers and sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.open_event.models import (
    CustomForm,
    Event,
    EventRole,
    FieldType,
    Microlocation,
    RoleInvite,
    Session,
    SessionState,
    SessionType,
    Speaker,
    SpeakersCall,
    Sponsor,
    Track,
)

TOPICS = ("Peptides", "Soil sensors", "Open hardware", "Rare diseases", "Trial design")
NAMES = ("Ada", "Ben", "Chi", "Dee", "Eli", "Fay", "Gus", "Hoa", "Ida", "Jun")
PLACES = (
    ("Europe/Berlin", "Berlin", 52.52, 13.4),
    ("Asia/Kolkata", "Pune", 18.52, 73.86),
    ("Europe/Zurich", "Davos", 46.8, 9.83),
)
ROOMS = ("Great hall", "Seminar room", "Workshop")
TRACKS = (("Methods", "#1e90ff"), ("Instruments", "#2e8b57"), ("Patients", "#b22222"))
SPONSORS = (("Open Reagents", 1), ("Fieldwork e.V.", 2), ("The Sample Bank", 3))
IN_DAYS = (90, 120, 150)  # from the day on which the conference is made
SLOT = timedelta(minutes=45)


def fill(event: Event, number: int, creators: list[int], catalogue: dict[str, Any]) -> None:
    """Give an event its place, its time and its content."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    event.identifier = f"{number + 1}cafe{number:03d}"
    event.timezone, event.location_name, event.latitude, event.longitude = PLACES[number]
    event.starts_at = today + timedelta(days=IN_DAYS[number], hours=8)
    event.ends_at = event.starts_at + timedelta(days=2, hours=10)
    event.description = f"{event.name}: three days of talks and workshops."
    event.owner_name = "The Open Science Club"
    event.event_topic = catalogue["topics"][number]
    event.event_sub_topic = catalogue["sub_topics"][number]
    event.event_type = catalogue["types"][number]
    event.microlocations.extend(
        Microlocation(name=name, floor=n, room=f"{n}.0{number + 1}", position=n)
        for n, name in enumerate(ROOMS)
    )
    event.tracks.extend(
        Track(name=name, color=color, position=n) for n, (name, color) in enumerate(TRACKS)
    )
    event.session_types.extend(
        [
            SessionType(name="Talk", length="00:45"),
            SessionType(name="Workshop", length="01:30", position=1),
        ]
    )
    event.sponsors.extend(
        Sponsor(name=name, level=level, type="partner", url="https://example.org")
        for name, level in SPONSORS
    )
    event.speakers_call = SpeakersCall(
        announcement=f"Tell {event.name} of your work.",
        starts_at=today - timedelta(days=30),
        soft_ends_at=today + timedelta(days=60),
        ends_at=today + timedelta(days=75),
    )
    event.custom_forms.extend(_fields())
    event.role_invites.append(
        RoleInvite(
            email="ravi@example.org",
            role_name=EventRole.MODERATOR,
            expires_at=today + timedelta(days=1),
        )
    )
    _add_program(event, number, creators)


def _fields() -> list[CustomForm]:
    text, included = FieldType.TEXT, {"is_included": True}
    return [
        CustomForm(
            form="session",
            field_identifier="title",
            type=text,
            name="Title",
            is_required=True,
            is_fixed=True,
            **included,
        ),
        CustomForm(
            form="session", field_identifier="shortAbstract", type=text, position=1, **included
        ),
        CustomForm(
            form="session",
            field_identifier="audience",
            type=FieldType.SELECT,
            name="Whom the talk is for",
            is_complex=True,
            position=2,
            options=[{"value": "students"}, {"value": "researchers"}],
            **included,
        ),
        CustomForm(
            form="speaker",
            field_identifier="name",
            type=text,
            name="Name",
            is_required=True,
            is_fixed=True,
            **included,
        ),
        CustomForm(
            form="speaker",
            field_identifier="needsVisa",
            type=FieldType.BOOLEAN,
            name="Visa needed",
            is_complex=True,
            position=1,
            **included,
        ),
    ]


def _add_program(event: Event, number: int, creators: list[int]) -> None:
    speakers = [
        Speaker(
            name=f"{NAMES[index]} {event.name.split()[0]}",
            email=f"{NAMES[index].lower()}{number}@example.org",
            mobile=f"+49 30 {1000 + 10 * number + index}",
            address=f"{index + 1} Lane, Town {number}",
            account_id=creators[index % 2],
        )
        for index in range(10)
    ]
    event.speakers.extend(speakers)
    states = list(SessionState)
    for index in range(14 if number == 0 else 13):
        session = Session(
            title=f"{TOPICS[index % len(TOPICS)]} {index + 1}",
            short_abstract=f"What we learned about {TOPICS[index % len(TOPICS)].lower()}.",
            state=states[index % len(states)],
            creator_id=creators[index % 2],
            speakers=[speakers[index % 10]],
            track=event.tracks[index % len(TRACKS)],
            session_type=event.session_types[0],
            complex_field_values={"audience": "students"} if index % 3 == 0 else None,
        )
        if session.state in (SessionState.ACCEPTED, SessionState.CONFIRMED):
            begins = event.starts_at + index * SLOT if event.starts_at else None
            session.microlocation = event.microlocations[index % len(ROOMS)]
            session.starts_at = begins
            session.ends_at = begins + SLOT if begins else None
        event.sessions.append(session)
