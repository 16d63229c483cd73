//! The runtime contract in deterministic simulation: virtual time, seeded scheduling, a trace.
