"""apt_blueprint: action providers made with the blueprint's decorators.

A clock whose callbacks store it themselves, and two durable actions that workers run.
"""
