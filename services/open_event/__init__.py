"""Events, their sessions and speakers: who may do what with them, said once in `policies`."""
