//! Clients that others wrote understand the broker: Mosquitto's, in both versions and at each quality of service.

use anabranch_executor::{ByteStream, SpawnDynamically, StreamError};
use anabranch_mqtt_broker::{BrokerOptions, Memory, ServedBroker};
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
        let mut subscriber = Self::spawn(port, arguments);
        subscriber.line("Subscribed").await;
        subscriber
    }

    fn spawn(port: u16, arguments: &[&str]) -> Self {
        let mut process = mosquitto("mosquitto_sub", port, arguments)
            .args(["-d", "-F", "got %q %r %t %p"])
            .spawn()
            .expect("mosquitto_sub (Debian: mosquitto-clients) runs");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        Self { process, lines }
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

#[test]
fn mosquitto_s_clients_find_retained_messages_until_they_are_removed() {
    with_broker(BrokerOptions::default(), |broker, port| async move {
        publish(port, &["-q", "1", "-t", "a", "-r", "-m", "kept"]).await;
        let mut subscriber = Subscriber::start(port, &["-t", "#"]).await;
        assert_eq!(subscriber.got().await, "got 0 1 a kept");
        publish(port, &["-t", "a", "-r", "-n"]).await;
        assert_eq!(subscriber.got().await, "got 0 0 a ");
        assert!(broker.retained().is_empty());
    });
}

#[test]
fn what_waits_for_mosquitto_s_client_is_there_when_it_comes_back() {
    with_broker(BrokerOptions::default(), |_, port| async move {
        for version in ["mqttv5", "mqttv311"] {
            let session: &[&str] = match version {
                "mqttv5" => &["-V", version, "-c", "-x", "3600", "-i", "new", "-q", "2", "-t", "a"],
                _ => &["-V", version, "-c", "-i", "old", "-q", "2", "-t", "a"],
            };
            let mut subscriber = Subscriber::start(port, session).await;
            subscriber.process.kill().await.expect("it runs");
            for qos in ["1", "2"] {
                publish(port, &["-t", "a", "-q", qos, "-m", qos]).await;
            }
            // They come before the answer to its subscription.
            let mut subscriber = Subscriber::spawn(port, session);
            assert_eq!(subscriber.got().await, "got 1 0 a 1");
            assert_eq!(subscriber.got().await, "got 2 0 a 2");
            subscriber.process.kill().await.expect("it runs");
        }
    });
}

#[test]
fn mosquitto_s_client_comes_back_after_a_crash_and_gets_what_it_missed() {
    with_broker(BrokerOptions::default(), |broker, port| async move {
        let session = ["-V", "mqttv5", "-c", "-x", "3600", "-i", "client", "-q", "2", "-t", "a"];
        let mut subscriber = Subscriber::start(port, &session).await;
        broker.crash(Memory::Keep);
        broker.publish("a", "missed", 2, false).expect("a topic and a quality");
        broker.restart();
        assert_eq!(subscriber.got().await, "got 2 0 a missed");
    });
}

#[test]
fn the_will_of_mosquitto_s_client_is_published_when_it_is_killed() {
    with_broker(BrokerOptions::default(), |_, port| async move {
        let mut witness = Subscriber::start(port, &["-t", "will"]).await;
        let will = ["-t", "x", "--will-topic", "will", "--will-payload", "gone"];
        let mut client = Subscriber::start(port, &will).await;
        client.process.kill().await.expect("it runs");
        assert_eq!(witness.got().await, "got 0 0 will gone");
    });
}

#[test]
fn mosquitto_s_client_is_told_that_its_password_is_wrong() {
    let users = [("ada".to_owned(), "secret".to_owned())].into();
    with_broker(BrokerOptions { users, ..BrokerOptions::default() }, |broker, port| async move {
        for version in ["mqttv5", "mqttv311"] {
            let message = ["-V", version, "-q", "1", "-t", "a", "-m", "x", "-u", "ada", "-P"];
            let refused = publish(port, &[&message[..], &["guess"]].concat()).await;
            assert!(!refused.status.success(), "{refused:?}");
            let taken = publish(port, &[&message[..], &["secret"]].concat()).await;
            assert!(taken.status.success(), "{taken:?}");
        }
        assert_eq!(broker.published().len(), 2);
    });
}

#[test]
fn ten_thousand_messages_of_each_quality_of_service_pass_to_mosquitto_s_client() {
    with_broker(BrokerOptions::default(), |broker, port| async move {
        for qos in ["0", "1", "2"] {
            let mut subscriber = Subscriber::start(port, &["-V", "mqttv5", "-t", "a", "-q", qos]).await;
            let done = publish(port, &["-V", "mqttv5", "-t", "a", "-q", qos, "--repeat", "10000", "-m", qos]).await;
            assert!(done.status.success(), "{done:?}");
            for _ in 0..10_000 {
                assert_eq!(subscriber.got().await, format!("got {qos} 0 a {qos}"));
            }
            subscriber.process.kill().await.expect("it runs");
        }
        assert_eq!(broker.take_published().len(), 30_000);
    });
}
