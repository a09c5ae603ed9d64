"""Local token estimates, corrected by the usage that comes back."""
