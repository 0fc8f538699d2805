"""How workers are told of an action that was just stored; they find it without, only later."""
