//! The peers, as their users would have them for the same work.

pub mod bare_redb;
pub mod koru;
pub mod sqlite;
