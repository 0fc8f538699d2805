"""Blank credentials: tokens come from the app's own issuer. Fill them in to use Globus Auth."""

client_id = ""
client_secret = ""
our_scope = "https://auth.globus.org/scopes/d3a66776-759f-4316-ba55-21725fe37323/action_all"
secondary_scope = (
    "https://auth.globus.org/scopes/d3a66776-759f-4316-ba55-21725fe37323/secondary_scope"
)
