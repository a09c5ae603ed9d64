"""The dialects that clients and providers speak, each to and from one neutral form: see `neutral` and `translation`."""
