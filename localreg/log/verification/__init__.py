"""What `localreg.log.verify` is made of: the report; the chain, redactions, caches, and bulk files."""
