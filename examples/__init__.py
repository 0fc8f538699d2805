"""Reference services made with licet, each small enough to read in one sitting."""
