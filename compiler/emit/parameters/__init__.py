"""The parameter block of an operator: the custom options that `prepare` checks, kind by kind."""
