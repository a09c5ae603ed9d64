"""One query layer over the ledger for the command line, the web, exports and whoever else asks."""
