"""Requirements: questions about a caller, combined, asked by guards, changed for a while."""
