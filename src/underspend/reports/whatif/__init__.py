"""The replay of a policy for people and programs."""
