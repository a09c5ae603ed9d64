"""Where budgets' holds are kept: in memory, in one SQLite file for all processes of a machine, in Redis or Valkey."""
