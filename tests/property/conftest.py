"""How much is tried in every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "licet",
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("licet")
