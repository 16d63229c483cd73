//! Links through a real Mosquitto: whatever it is, does and suffers.

mod addresses;
mod links;
mod values;
