"""Questions and answers that serve alike questions: their store, what compares questions, and the two put together."""
