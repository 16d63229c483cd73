//! `put` and `delete`: one more version of a key.

use anabranch::store::{VersionId, Write};
use anabranch_value::{Value, json};
use clap::Args;

use super::{database::Database, lines, moment::id, people::Shower, place::Place};
use crate::failure::Failure;

/// Write a value as one more version of a key
#[derive(Debug, Args)]
#[command(after_help = "\
The directory and the store in it are made if they are not there.

Examples:
  anabranch put rooms kitchen '{\"celsius\": 21.5}'
  anabranch put rooms kitchen 22 --if-version 17f3…         only if that is the newest version
  anabranch put rooms kitchen 22 --if-absent                only if there is none
  anabranch put alarms kitchen '\"warm\"' --because 17f3…   made from that version, as `why` shows
  cat readings.ndjson | anabranch put rooms --stdin         lines of {\"key\": …, \"value\": …}; a JSON line for each once it is durable
  cat moves.ndjson | anabranch put rooms --stdin --batch    all lines at once, or none of them; each of another key

Exit codes: 0 done, 1 failed, 2 wrong use, 4 what is there is not what was expected")]
pub struct Put {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY", required_unless_present = "stdin", conflicts_with = "stdin")]
    key: Option<String>,

    /// The value, as JSON
    #[arg(value_name = "JSON", required_unless_present = "stdin", value_parser = value)]
    value: Option<Value>,

    /// Read lines of {"key": …, "value": …} from the standard input
    #[arg(long)]
    stdin: bool,

    /// Write all lines of the standard input at once, or none of them
    #[arg(long, requires = "stdin")]
    batch: bool,

    /// Write only if this is the key's newest version
    #[arg(long, visible_alias = "if", value_name = "ID", value_parser = id, conflicts_with = "stdin")]
    if_version: Option<VersionId>,

    /// Write only if the key is not there
    #[arg(long, conflicts_with_all = ["stdin", "if_version"])]
    if_absent: bool,

    /// A version that the value was made from; may be given several times
    #[arg(long, value_name = "ID", value_parser = id, conflicts_with = "stdin")]
    because: Vec<VersionId>,

    #[command(flatten)]
    place: Place,
}

/// Delete a key, with one more version that says so; its history stays
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 what is there is not what was expected"
)]
pub struct Delete {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// Delete only if this is the key's newest version
    #[arg(long, visible_alias = "if", value_name = "ID", value_parser = id)]
    if_version: Option<VersionId>,

    #[command(flatten)]
    place: Place,
}

pub fn value(text: &str) -> Result<Value, String> {
    json::from_str(text).map_err(|why| format!("it is no JSON value ({why}); write text in quotes, as '\"warm\"'"))
}

pub fn put(put: &Put) -> Result<(), Failure> {
    if put.stdin {
        return match put.place.make()? {
            database if put.batch => lines::put_batch(&put.namespace, &database),
            Database::Own(store) => lines::put_lines(&put.namespace, &store),
            Database::Node(node) => lines::put_through(&put.namespace, &node),
        };
    }
    let (Some(key), Some(value)) = (&put.key, &put.value) else { return Ok(()) }; // clap has seen to both
    let mut write =
        Write::put(put.namespace.as_str(), key.as_str(), value.clone()).because(put.because.iter().copied());
    if let Some(version) = put.if_version {
        write = write.expecting(version);
    } else if put.if_absent {
        write = write.if_absent();
    }
    make(&put.place, &put.place.make()?, write)
}

pub fn delete(delete: &Delete) -> Result<(), Failure> {
    let mut write = Write::delete(delete.namespace.as_str(), delete.key.as_str());
    if let Some(version) = delete.if_version {
        write = write.expecting(version);
    }
    // What is not there is not deleted, so no store is made for it.
    make(&delete.place, &delete.place.open()?, write)
}

fn make(place: &Place, database: &Database, write: Write) -> Result<(), Failure> {
    let version = database.write(write)?;
    let mut shower = Shower::of(place);
    shower.version(&version, |version, _| version.version_id.to_string())?;
    shower.end()
}
