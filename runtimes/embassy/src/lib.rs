//! The runtime contract on Embassy: static tasks, no heap.
