"""apt_blueprint: an action provider made with the blueprint's decorators; it tells the time."""
