"""The live driver: a request comes in, passes the strategies, is forwarded and metered."""
