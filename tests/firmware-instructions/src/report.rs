//! The table, the JSON lines, and whether every bound holds.

use board_mps2::println;

/// A number with three digits behind the point: no floating point on a Cortex-M3.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Thousandths(pub u32);

impl core::fmt::Display for Thousandths {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Tells the results as they come.
#[derive(Default)]
pub struct Report {
    holding: u32,
    broken: u32,
}

impl Report {
    /// Begins the table.
    pub fn new() -> Self {
        println!(
            "{:<46} {:>9} {:>13} {:>7} {:>7}  holds",
            "instructions a value (24 bytes)", "ours", "by hand", "ratio", "bound"
        );
        Report::default()
    }

    /// One case: instructions for `values` values, ours and `embassy-sync`'s, and the most that their ratio may be.
    pub fn case(&mut self, case: &str, values: u32, ours: u32, peer: u32, bound: Option<Thousandths>) {
        self.beside("embassy-sync", case, values, ours, peer, bound);
    }

    /// The same, by hand with what `name` says.
    pub fn beside(&mut self, name: &str, case: &str, values: u32, ours: u32, peer: u32, bound: Option<Thousandths>) {
        let each = |all: u32| Thousandths((u64::from(all) * 1_000 / u64::from(values)) as u32);
        let ratio = Thousandths((u64::from(ours) * 1_000).div_ceil(u64::from(peer)) as u32);
        let holds = bound.is_none_or(|bound| ratio <= bound);
        match bound {
            Some(_) if holds => self.holding += 1,
            Some(_) => self.broken += 1,
            None => {}
        }
        let (ours, peer) = (each(ours), each(peer));
        let shown = if holds { "yes" } else { "NO" };
        match bound {
            Some(bound) => println!("{case:<46} {ours:>9} {peer:>13} {ratio:>7} {bound:>7}  {shown}"),
            None => println!("{case:<46} {ours:>9} {peer:>13} {ratio:>7} {:>7}  {shown}", "·"),
        }
        struct OrNull(Option<Thousandths>);
        impl core::fmt::Display for OrNull {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match &self.0 {
                    Some(number) => number.fmt(f),
                    None => f.write_str("null"),
                }
            }
        }
        println!(
            "JSON {{\"case\":\"Cortex-M3, {case}\",\"unit\":\"instructions a value\",\"ours\":{ours},\
             \"peers\":{{\"{name}\":{peer}}},\"ratio\":{ratio},\"bound\":{},\"holds\":{holds}}}",
            OrNull(bound)
        );
    }

    /// Says how many bounds held, each being a test, and whether all did.
    pub fn all_hold(&self) -> bool {
        println!("{} passed, {} failed", self.holding, self.broken);
        self.broken == 0
    }
}
