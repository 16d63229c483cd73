//! `cargo xtask bench NAME`: runs a benchmark beside its peers, and says which of its bounds do not hold.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::process::Run;
use crate::workspace::Workspace;

/// The benchmark prints its own table and writes its own JSON; this judges it.
pub fn run(workspace: &Workspace, name: &str, no_fail: bool) -> Result<(), Failure> {
    let result = workspace.root.join(format!("target/bench/{name}.json"));
    // What an earlier run left must not be taken for this one's; that there is none is the usual case.
    let _ = std::fs::remove_file(&result);
    if !workspace.root.join("bench/Cargo.toml").is_file() {
        return Err(Failure::new("there is no benchmark in bench/: add bench/Cargo.toml, a workspace of its own"));
    }
    Run::cargo(["run", "--release", "--manifest-path", "bench/Cargo.toml", "--bin", name]).through(&workspace.root)?;
    let cases = read(&result)?;
    let broken = broken(&cases);
    for case in &broken {
        println!("does not hold: {case}");
    }
    println!("{} of {} bounds hold; {}", cases.len() - broken.len(), cases.len(), result.display());
    match broken.is_empty() || no_fail {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "{} bounds of `{name}` do not hold: see above, or read on with --no-fail",
            broken.len()
        ))),
    }
}

fn read(result: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |why: String| Failure::new(format!("{}: {why}; a benchmark has to write it", result.display()));
    let text = std::fs::read_to_string(result).map_err(|error| wrong(error.to_string()))?;
    match serde_json::from_str(&text) {
        Ok(Value::Array(cases)) if !cases.is_empty() => Ok(cases),
        Ok(_) => Err(wrong("it is no array of cases".to_owned())),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// A line for each case that does not say that it holds.
fn broken(cases: &[Value]) -> Vec<String> {
    let broken = cases.iter().filter(|case| case["holds"] != Value::Bool(true));
    broken
        .map(|case| {
            format!("{}: ratio {}, bound {}", case["case"].as_str().unwrap_or("?"), case["ratio"], case["bound"])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_does_not_hold_is_named_with_its_ratio_and_bound() {
        let cases = [
            serde_json::json!({ "case": "latest", "ratio": 0.1, "bound": 0.2, "holds": true }),
            serde_json::json!({ "case": "ring 1→4", "ratio": 0.7, "bound": 0.5, "holds": false }),
            serde_json::json!({ "case": "silent" }),
        ];
        assert_eq!(broken(&cases), ["ring 1→4: ratio 0.7, bound 0.5", "silent: ratio null, bound null"]);
    }
}
