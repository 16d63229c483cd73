//! QEMU's monitor, as far as it is needed: it pulls the board's cable and plugs it in again.

use std::path::Path;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// The connection to it.
pub struct Monitor(BufReader<UnixStream>);

impl Monitor {
    pub(crate) async fn connect(socket: &Path) -> Self {
        // QEMU makes the socket a moment after it was started, and tells nobody.
        let stream = loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        };
        let mut monitor = Monitor(BufReader::new(stream));
        monitor.hears("\"QMP\"").await;
        monitor.says(r#"{"execute":"qmp_capabilities"}"#).await;
        monitor
    }

    /// The cable is pulled out.
    pub async fn pull_the_cable(&mut self) {
        self.says(r#"{"execute":"set_link","arguments":{"name":"cable","up":false}}"#).await;
    }

    /// The cable is plugged in.
    pub async fn plug_the_cable_in(&mut self) {
        self.says(r#"{"execute":"set_link","arguments":{"name":"cable","up":true}}"#).await;
    }

    pub(crate) async fn go_on(&mut self) {
        self.says(r#"{"execute":"cont"}"#).await;
    }

    async fn says(&mut self, command: &str) {
        self.0.write_all(command.as_bytes()).await.expect("QEMU's monitor listens");
        self.hears("\"return\"").await;
    }

    /// Passes events over.
    async fn hears(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.0.read_line(&mut line).await.expect("QEMU's monitor answers");
            assert!(read > 0 && !line.contains("\"error\""), "QEMU's monitor says {line}");
        }
    }
}
