//! `anabranch check`: everything that is wrong with a config, or what it describes.

use std::{
    io::{Write, stdout},
    path::{Path, PathBuf},
};

use anabranch::TokioAdapter;
use anabranch_node::{Config, Fault, Faults, Node};
use clap::Args;
use serde::Serialize;

use crate::failure::{Failure, quiet};

const EXAMPLES: &str = "\
Nothing is connected to: what brokers say is told by `anabranch run`.

Examples:
  anabranch check                      the config of this directory, anabranch.toml
  anabranch check plant.toml           another one
  anabranch check --graph > flow.mmd   its records and links as Mermaid text
  anabranch check --json               one JSON object for each thing that is wrong

Every key of the config: docs/guide/config.md

Exit codes: 0 it is good, 1 it cannot be read, 2 it is wrong";

/// Say what is wrong with a config, or what it describes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// The config
    #[arg(value_name = "CONFIG", default_value = "anabranch.toml")]
    pub config: PathBuf,

    /// Print the records and links as Mermaid text
    #[arg(long)]
    pub graph: bool,

    /// Print one JSON object a line, for each thing that is wrong
    #[arg(long, conflicts_with = "graph")]
    pub json: bool,
}

/// A thing that is wrong, as a line of JSON.
#[derive(Serialize)]
struct Wrong<'a> {
    file: &'a Path,
    line: usize,
    column: usize,
    key: &'a str,
    message: &'a str,
}

pub fn run(check: &Check) -> Result<(), Failure> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Threads)?;
    let made = threads.block_on(async {
        let config = Config::read(&check.config)?;
        let adapter = TokioAdapter::current()?;
        Ok::<_, Failure>(Node::from_config(config, adapter).await)
    })?;
    let mut out = stdout().lock();
    match made {
        Ok(node) if check.graph => quiet(out.write_all(node.graph().to_mermaid().as_bytes())),
        Ok(_) if check.json => Ok(()),
        Ok(node) => {
            let later: String = node.not_active().iter().map(|key| format!("not active yet: {key}\n")).collect();
            quiet(write!(out, "{} is good\n\n{}{later}", check.config.display(), node.summary()))
        }
        Err(faults) => {
            if check.json {
                quiet(objects(&mut out, &faults))?;
            }
            Err(faults.into())
        }
    }
}

fn objects(out: &mut impl Write, Faults { file, faults }: &Faults) -> std::io::Result<()> {
    for Fault { place, key, message } in faults {
        let wrong = Wrong { file, line: place.line, column: place.column, key, message };
        writeln!(out, "{}", serde_json::to_string(&wrong)?)?;
    }
    Ok(())
}
