//! `cargo xtask bench NAME`: runs a benchmark beside its peers, hands it what only other programs can measure, and says
//! which of its bounds do not hold.
//!
//! ```text
//!  firmware in QEMU ─┐ lines `JSON {…}`
//!  examples ─────────┼──▶ --row=… ──▶ the benchmark ──▶ target/bench/NAME.json ──▶ the table
//!  sizes · tests ────┘
//! ```

use std::path::Path;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::process::{Ran, Run};
use crate::table::Table;
use crate::workspace::Workspace;
use crate::{npm, sizes, steps, tools};

/// What a line begins with that holds a row for a benchmark.
const ROW: &str = "JSON ";

/// What is asked for beside the name.
pub struct Asked {
    /// To end well even where a bound does not hold.
    pub no_fail: bool,
    /// To measure building from clean as well.
    pub from_clean: bool,
    /// Words for the benchmark itself.
    pub words: Vec<String>,
}

/// The benchmark writes its JSON, the rows of others among its own; this judges all of them.
pub fn run(workspace: &Workspace, name: &str, asked: &Asked) -> Result<(), Failure> {
    let result = workspace.root.join(format!("target/bench/{name}.json"));
    // What an earlier run left must not be taken for this one's; that there is none is the usual case.
    let _ = std::fs::remove_file(&result);
    if !workspace.root.join("bench/Cargo.toml").is_file() {
        return Err(Failure::new("there is no benchmark in bench/: add bench/Cargo.toml, a workspace of its own"));
    }
    let missing = tools::ensure(steps::needed_by_benchmark(name));
    if !missing.is_empty() {
        return Err(Failure::new(format!("`{name}` needs {} tools that are missing: see above", missing.len())));
    }
    for build in steps::built_before(workspace, name)? {
        build.through(&workspace.root)?;
    }
    let mut rows = measured_beside(workspace, name)?;
    if asked.from_clean {
        rows.extend(npm::built_from_clean(workspace)?);
    }
    let bench = steps::benchmark(workspace, name, &result).args(&asked.words);
    bench.args(rows.iter().map(|row| format!("--row={row}"))).through(&workspace.root)?;
    let cases = read(&result)?;
    print!("\n{}", table(&cases));
    let broken = cases.iter().filter(|case| !holds(case)).count();
    println!("{} of {} bounds hold; {}", cases.len() - broken, cases.len(), result.display());
    match broken == 0 || asked.no_fail {
        true => Ok(()),
        false => {
            Err(Failure::new(format!("{broken} bounds of `{name}` do not hold: see above, or read on with --no-fail")))
        }
    }
}

/// The rows of other programs. One that ends with a failure has still measured, when it printed rows: a bound that does
/// not hold is such a failure.
fn measured_beside(workspace: &Workspace, name: &str) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    for run in steps::measuring_beside(workspace, name)? {
        println!("$ {run}");
        let Ran { output, fault } = run.captured(&workspace.root, false);
        let found: Vec<Value> =
            output.lines().filter_map(|line| serde_json::from_str(line.trim().strip_prefix(ROW)?).ok()).collect();
        if let Some(fault) = fault.filter(|_| found.is_empty()) {
            return Err(Failure::new(format!("{output}\n`{run}` measures nothing: {fault}")));
        }
        rows.extend(found);
    }
    match name {
        "records" => {
            rows.push(sizes::beyond_an_empty_program(workspace)?);
            rows.push(allocations(workspace, steps::CORE, "record to record"));
        }
        "links" => rows.push(allocations(workspace, steps::MQTT, "MQTT bytes to record to MQTT bytes, QoS 0, 1 and 2")),
        _ => {}
    }
    Ok(rows)
}

/// An exact test of a package, and no measurement: it passes when the count is zero in each of its cases.
fn allocations(workspace: &Workspace, package: &str, way: &str) -> Value {
    let test = Run::cargo(["test", "-p", package, "--test", "allocations"]);
    println!("$ {test}");
    let holds = test.captured(&workspace.root, false).fault.is_none();
    json!({
        "case": format!("allocations a value, {way} (exact test)"), "unit": "allocations",
        "ours": if holds { json!(0) } else { Value::Null }, "peers": {}, "ratio": null, "bound": "= 0", "holds": holds,
    })
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

/// A case holds when it says so.
fn holds(case: &Value) -> bool {
    case["holds"] == Value::Bool(true)
}

fn table(cases: &[Value]) -> Table {
    let mut table = Table::new(["case", "unit", "ours", "peer's", "peer", "ratio", "bound", "holds"]);
    for case in cases {
        let (peer, peers) = case["peers"].as_object().and_then(|peers| peers.iter().next()).unzip();
        table.row([
            shown(&case["case"]),
            shown(&case["unit"]),
            shown(&case["ours"]),
            shown(peers.unwrap_or(&Value::Null)),
            peer.map_or_else(|| "·".to_owned(), Clone::clone),
            shown(&case["ratio"]),
            shown(&case["bound"]),
            if holds(case) { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}

/// A value of JSON as a cell.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "·".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_does_not_hold_is_marked() {
        let cases = [
            json!({ "case": "latest", "ours": 1.5, "peers": { "watch": 15 }, "ratio": 0.1, "bound": "<= 0.2", "holds": true }),
            json!({ "case": "silent" }),
        ];
        assert_eq!(
            table(&cases).to_string(),
            "  case    unit   ours  peer's   peer  ratio   bound  holds\n\
             \x20 latest     ·  1.500      15  watch  0.100  <= 0.2    yes\n\
             \x20 silent     ·      ·       ·      ·      ·       ·     NO\n"
        );
    }
}
