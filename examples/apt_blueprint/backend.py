"""Where the actions are: licet's store, in the database of whichever app serves the blueprint."""

from licet.actions import action_store

store = action_store("apt")
