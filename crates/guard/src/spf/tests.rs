//! SPF against a name server on loopback.
