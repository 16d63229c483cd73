//! `anabranch run`: a node from a config, until it is told to end.

use std::{
    io::stderr,
    path::PathBuf,
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use anabranch::TokioAdapter;
use anabranch_node::{Config, Node};
use clap::Args;
use tokio::sync::Notify;
use tracing_subscriber::filter::LevelFilter;

use crate::{failure::Failure, tell};

const EXAMPLES: &str = "\
A config has records, and links that tie them to addresses outside:

  [node]
  data = \"data\"                        # its directory; `anabranch watch` talks to it there

  [[connector]]
  url = \"mqtt://127.0.0.1:1883\"

  [[record]]
  name = \"temperature\"
  buffer = { kind = \"spmc-ring\", capacity = 64 }

  [[link]]
  record = \"temperature\"
  from = \"mqtt://sensors/{device}/temp\"

  [[link]]
  record = \"temperature\"
  to = \"mqtt://copy/{device}\"

Examples:
  anabranch run                        the config of this directory, anabranch.toml
  anabranch run plant.toml             another one
  anabranch check plant.toml           what is wrong with it, or what it describes
  ANABRANCH_LOG=debug anabranch run    say more: error, warn, info, debug or trace

Ctrl-C ends it so that nothing on its way is lost; once more ends it at once.
Every key of the config: docs/guide/config.md

Exit codes: 0 ended when told, 1 failed, 2 the config is wrong";

/// Run a node from a config
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// The config
    #[arg(value_name = "CONFIG", default_value = "anabranch.toml")]
    pub config: PathBuf,
}

/// Runs the node to its end.
pub fn run(run: &Run) -> Result<(), Failure> {
    let level = std::env::var("ANABRANCH_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt().with_writer(stderr).with_target(false).with_max_level(level).init();
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Threads)?;
    let done = threads.block_on(async {
        let node = Node::from_config(Config::read(&run.config)?, TokioAdapter::current()?).await?;
        ctrlc::set_handler(told_to_end).map_err(Failure::EndUnheard)?;
        Ok(node.run(TOLD.notified()).await?)
    });
    // Nothing is left that has to end.
    threads.shutdown_background();
    done
}

static TOLD: Notify = Notify::const_new();

/// On the thread that waits for signals.
fn told_to_end() {
    static BEFORE: AtomicBool = AtomicBool::new(false);
    if BEFORE.swap(true, Ordering::Relaxed) {
        tell("ended at once; what was on its way is lost");
        process::exit(1);
    }
    TOLD.notify_one();
}
