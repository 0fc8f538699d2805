"""HTTP in and out. What is allowed is `licet.authz`'s."""

from licet.rest.problems import install_problem_handler, problem_response

__all__ = ["install_problem_handler", "problem_response"]
