//! Clients that others wrote understand the broker: Mosquitto's, in both versions and at each quality of service.

use anabranch_executor::{ByteStream, SpawnDynamically, StreamError};
use anabranch_mqtt_broker::{BrokerOptions, ServedBroker};
use anabranch_tokio::TokioAdapter;
use std::{
    future::Future,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, Lines, ReadBuf},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
};

/// An accepted connection.
struct Tcp(TcpStream);

impl ByteStream for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer)).map_err(|_| StreamError::Reset)?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        Pin::new(&mut self.0).poll_write(cx, bytes).map_err(|_| StreamError::Reset)
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.0).poll_shutdown(cx).map_err(|_| StreamError::Reset)
    }
}

type TokioBroker = ServedBroker<TokioAdapter>;

/// Runs a test with a broker on a free port of this machine.
fn with_broker<F: Future<Output = ()>>(options: BrokerOptions, test: impl FnOnce(TokioBroker, u16) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let adapter = TokioAdapter::current().expect("inside the runtime");
        let broker = ServedBroker::new(adapter.clone(), options);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        adapter.spawn(broker.listen(
            move || TcpListener::from_std(listener.try_clone()?),
            |listener: &mut TcpListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| Tcp(stream)),
        ));
        // The clients are real, so the time is: none of them takes a second.
        tokio::time::timeout(Duration::from_secs(60), test(broker, port)).await.expect("an end within a minute");
    });
}

fn mosquitto(program: &str, port: u16, arguments: &[&str]) -> Command {
    // Line by line, also into a pipe.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", program, "-h", "127.0.0.1", "-p", &port.to_string()]).args(arguments).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Publishes, and waits until it is done.
async fn publish(port: u16, arguments: &[&str]) -> std::process::Output {
    mosquitto("mosquitto_pub", port, arguments).output().await.expect("mosquitto_pub (Debian: mosquitto-clients) runs")
}

/// A `mosquitto_sub` that is subscribed: it says so itself, with `-d`.
struct Subscriber {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    async fn start(port: u16, arguments: &[&str]) -> Self {
        let mut process = mosquitto("mosquitto_sub", port, arguments)
            .args(["-d", "-F", "got %q %r %t %p"])
            .spawn()
            .expect("mosquitto_sub (Debian: mosquitto-clients) runs");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut subscriber = Self { process, lines };
        subscriber.line("Subscribed").await;
        subscriber
    }

    /// The next line that begins so.
    async fn line(&mut self, beginning: &str) -> String {
        while let Some(line) = self.lines.next_line().await.expect("text") {
            if line.starts_with(beginning) {
                return line;
            }
        }
        panic!("no {beginning:?} before the end");
    }

    async fn got(&mut self) -> String {
        self.line("got").await
    }
}

#[test]
fn mosquitto_s_clients_exchange_messages_at_each_quality_of_service_in_both_versions() {
    with_broker(BrokerOptions::default(), |broker, port| async move {
        for version in ["mqttv5", "mqttv311"] {
            let mut subscriber = Subscriber::start(port, &["-V", version, "-t", "a/+/c", "-q", "2"]).await;
            for qos in ["0", "1", "2"] {
                let payload = format!("{version} at {qos}");
                let done = publish(port, &["-V", version, "-t", "a/b/c", "-q", qos, "-m", &payload]).await;
                assert!(done.status.success(), "{done:?}");
                assert_eq!(subscriber.got().await, format!("got {qos} 0 a/b/c {payload}"));
            }
            subscriber.process.kill().await.expect("it runs");
        }
        assert_eq!(broker.published().len(), 6);
    });
}
