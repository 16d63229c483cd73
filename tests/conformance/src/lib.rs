//! The conformance suites: what every runtime and every buffer has to keep.
