//! Brokers, as they are declared when a database is opened.

use crate::{code::Failure, wire::Arguments};
use anabranch::mqtt::MqttConnector;

/// url, name, client id, user, password.
pub fn connector(call: &mut Arguments<'_>) -> Result<MqttConnector, Failure> {
    let mut connector = MqttConnector::new(call.text("url")?);
    if let Some(name) = call.optional(|call| call.text("name"))? {
        connector = connector.name(name);
    }
    if let Some(id) = call.optional(|call| call.text("clientId"))? {
        connector = connector.client_id(id);
    }
    let (user, password) = (call.optional(|call| call.text("user"))?, call.optional(|call| call.text("password"))?);
    Ok(match user {
        Some(user) => connector.credentials(user, password.unwrap_or_default().as_bytes().to_vec()),
        None => connector,
    })
}
