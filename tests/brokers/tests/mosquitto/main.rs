//! Links through a real Mosquitto: whatever it is, does and suffers.

mod addresses;
mod conformance;
mod limits;
mod links;
mod refusals;
mod restarts;
mod sessions;
mod silence;
mod traps;
mod values;
