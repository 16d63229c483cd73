//! The runtime contract on Tokio, current-thread and multi-thread.
