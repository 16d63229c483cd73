//! The runtime contract in WebAssembly: windows, workers, Node and edge isolates, through globalThis.
