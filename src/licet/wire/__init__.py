"""What licet sends and reads over the network: one way out, and one reading of what comes back."""
