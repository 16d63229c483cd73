//! What shells need to complete the commands.

use std::io::{Write, stdout};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{
    arguments::Arguments,
    failure::{Failure, quiet},
};

/// Print what a shell needs to complete the commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch completions bash > ~/.local/share/bash-completion/completions/anabranch
  anabranch completions zsh > ~/.zfunc/_anabranch                   with ~/.zfunc in `fpath`
  anabranch completions fish > ~/.config/fish/completions/anabranch.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub fn run(completions: &Completions) -> Result<(), Failure> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    generate(completions.shell, &mut Arguments::command(), "anabranch", &mut script);
    quiet(stdout().write_all(&script))
}
