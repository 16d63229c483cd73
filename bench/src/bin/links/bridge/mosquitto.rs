//! A Mosquitto of the bench's own, on a free port of this machine.

use std::{
    fs,
    io::{self, Read},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

pub struct Mosquitto {
    process: Child,
    folder: PathBuf,
    pub port: u16,
}

impl Mosquitto {
    /// One that loses nothing of what is under way here, and holds nobody up with Nagle's algorithm.
    pub fn start(in_flight: u16) -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = std::env::temp_dir().join(format!("anabranch-bench-{port}"));
        fs::create_dir_all(&folder)?;
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n\
             max_queued_messages 1000000\nmax_inflight_messages {in_flight}\nset_tcp_nodelay true\n"
        );
        fs::write(&config, text)?;
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
            .into_iter()
            .find(|path| fs::exists(path).is_ok_and(|there| there));
        let mut command = Command::new(program.unwrap_or("mosquitto"));
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let process = command.spawn()?;
        let mut broker = Mosquitto { process, folder, port };
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if broker.process.try_wait()?.is_some() || Instant::now() > patience {
                let mut words = String::new();
                let _ = broker.process.kill();
                if let Some(mut errors) = broker.process.stderr.take() {
                    errors.read_to_string(&mut words)?;
                }
                return Err(io::Error::other(format!("mosquitto does not listen: {words}")));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(broker)
    }

    /// The CPU time that it has taken, to a hundredth of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap_or_default();
        // After the name, which may hold spaces: the state is the third field, the two times are the 14th and 15th.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
