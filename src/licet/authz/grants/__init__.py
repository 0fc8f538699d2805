"""Grants as rows: a role on one object, given to somebody for a time, and taken back.

    trials.allow(owner, grant_verb("curator"))  # who may give it
    trials.allow(Role("curator", granted("curator")), VIEW | UPDATE)  # what it is worth
    records.allow(Role("curator of the trial", granted("curator", via="trial")), LIST | VIEW)

    give(trials, trial, "curator", to=principal, expires_at=in_a_month, reason="audit 7")

For invitations and the decisions of committees: what a policy cannot know from the objects.
"""

from licet.authz.grants import _reuse  # noqa: F401 - called when policies are registered
from licet.authz.grants.conditions import grant_verb, granted
from licet.authz.grants.service import Grant, give, list_grants, revoke

__all__ = ["Grant", "give", "grant_verb", "granted", "list_grants", "revoke"]
