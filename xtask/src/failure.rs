//! Why a task did not succeed: a sentence for the person at the terminal, ending with what to do.

/// The one error of this program.
#[derive(Debug)]
pub enum Failure {
    /// Something is wrong; the text says what and what to do.
    Told(String),
    /// What is wrong stands above already, in the task's own last lines.
    Shown,
}

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self::Told(text.into())
    }

    pub fn print(&self) {
        if let Self::Told(text) = self {
            eprintln!("xtask: {text}");
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Told(text) => f.write_str(text),
            Self::Shown => f.write_str("see above"),
        }
    }
}
