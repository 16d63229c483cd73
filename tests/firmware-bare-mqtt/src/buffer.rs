//! The memory that `rust-mqtt` receives into. It is given back by an unsafe call only; that stands here.

use crate::mqtt::Client;

/// Everything that was received may be overwritten.
///
/// Only where nothing of it is held any more: the events of `client` borrow its memory for the memory's whole life, which
/// the compiler cannot relate to this call. Here each event is matched, copied from and dropped within one statement.
pub fn give_back(client: &mut Client<'_, '_>) {
    // SAFETY: no event, and nothing that was taken out of one, outlives the statement that received it; see above.
    unsafe { client.buffer_mut().reset() }
}
