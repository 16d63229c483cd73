//! How far long work is, with its rate: on a terminal only, beside the output.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is said where the whole is known, and where it is not.
const VERSIONS: [&str; 2] = [
    "{msg} [{wide_bar}] {human_pos} of {human_len} versions, {per_sec}, {eta} to go",
    "{msg} {human_pos} versions, {per_sec}",
];
const BYTES: [&str; 2] = [
    "{msg} [{wide_bar}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} to go",
    "{msg} {decimal_bytes}, {decimal_bytes_per_sec}",
];

/// A bar that is gone when the work is done.
pub struct Progress(ProgressBar);

impl Progress {
    /// Of so many versions; of how many, it may not be known.
    pub fn of_versions(doing: &'static str, total: Option<u64>) -> Self {
        Self::new(doing, total, VERSIONS)
    }

    /// Of so many bytes; of how many, it may not be known.
    pub fn of_bytes(doing: &'static str, total: Option<u64>) -> Self {
        Self::new(doing, total, BYTES)
    }

    fn new(doing: &'static str, total: Option<u64>, [whole, open]: [&str; 2]) -> Self {
        // Where the standard error is no terminal, nothing is drawn.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template(if total.is_some() { whole } else { open });
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        Progress(bar.with_message(doing))
    }

    /// So much is done.
    pub fn is_at(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_have_no_fault() {
        // With a fault, indicatif's own would be shown.
        let all = VERSIONS.into_iter().chain(BYTES);
        assert_eq!(all.filter_map(|template| ProgressStyle::with_template(template).err()).count(), 0);
    }
}
