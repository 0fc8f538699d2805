"""Deliberate faults in what guards a session's writes, each of which the machine must find."""

from licet.authz.policies.verbs import CREATE
from licet.authz.writes import _listeners, _statements
from licet.authz.writes._before import Before
from licet.authz.writes._verdict import _Asked
from licet.authz.writes._watch import Watch

__all__ = ["FAULTS"]


def ignore_what_cascades_to(monkeypatch):
    """Only what the session itself says to be changed is noted."""
    prepare = Watch.prepare

    def careless(self):
        if self._pending is not None:
            session = self.session
            known = {*session.new, *session.dirty, *session.deleted}
            states = self._pending.states
            self._pending.states = {s: how for s, how in states.items() if s.obj() in known}
            prepare(self)
            return
        prepare(self)

    def forgetful(self):
        context = self._pending
        states = None if context is None else context.states
        careless(self)
        if context is not None:
            context.states = states

    monkeypatch.setattr(Watch, "prepare", forgetful)
    monkeypatch.setattr(Watch, "written", lambda self, *_: self.prepare())
    was_written = Watch.was_written

    def only_noted(self, mapper, target):
        key = (mapper.base_mapper, tuple(mapper.primary_key_from_instance(target)))
        if key in self._known or target in self.session.new:
            was_written(self, mapper, target)

    monkeypatch.setattr(Watch, "was_written", only_noted)


def read_what_was_as_it_is(monkeypatch):
    """The state before is asked of the database as it is at that moment."""
    monkeypatch.setattr(Before, "of", lambda *_given, **_options: None)


def ignore_association_tables(monkeypatch):
    """Links are written unasked."""
    monkeypatch.setattr(Watch, "note_links", lambda *_given, **_options: None)


def ignore_the_parents(monkeypatch):
    """Rows whose rights come from others are not asked."""
    monkeypatch.setattr(_Asked, "_parents", lambda _self: iter(()))


def ignore_what_the_database_deletes(monkeypatch):
    """ON DELETE CASCADE is not followed."""
    monkeypatch.setattr(Watch, "note_cascades", lambda *_: None)


def ask_only_before(monkeypatch):
    """A changed row is not asked as it was written."""
    found = _Asked._created_and_changed

    def only_created(self, *given):
        return (one for one in found(self, *given) if one[3] is CREATE)

    monkeypatch.setattr(_Asked, "_created_and_changed", only_created)


def ask_only_after(monkeypatch):
    """A changed row is not asked as it was."""
    monkeypatch.setattr(_Asked, "_before", lambda *_: iter(()))


def trust_filtered_statements(monkeypatch):
    """What a filtered statement writes is not looked at again."""
    monkeypatch.setattr(_listeners, "note_filtered", lambda *_: None)


def let_statements_pass(monkeypatch):
    """No statement is refused."""
    monkeypatch.setattr(_listeners, "permit_or_refuse", lambda *_: None)
    monkeypatch.setattr(_statements, "permit_or_refuse", lambda *_: None)


FAULTS = [  # a quick run tries the first four, which are found soonest
    read_what_was_as_it_is,
    ignore_the_parents,
    ask_only_before,
    let_statements_pass,
    ignore_what_cascades_to,
    ignore_association_tables,
    ignore_what_the_database_deletes,
    ask_only_after,
    trust_filtered_statements,
]
