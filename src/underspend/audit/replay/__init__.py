"""The same traffic once more under another policy: recorded calls through the engine and a simulated cache."""
