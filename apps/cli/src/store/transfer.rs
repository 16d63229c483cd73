//! `export` and `import`: a store in one file.

use std::{
    fs::File,
    io::{BufReader, Read, Write, stdin, stdout},
    path::{Path, PathBuf},
};

use anabranch_node::shown::{Exported, Imported};
use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::{database::Database, people::Shower, place::Place, state::in_words};
use crate::{
    failure::Failure,
    look::{Look, counted, size},
    progress::Progress,
    tell,
};

/// Write the whole store, with all that ever was, to one file
#[derive(Debug, Args)]
#[command(after_help = "\
The file gets its name when it is whole, so an export that fails leaves what had that name before. What is damaged in the store is
named, and all else is written.

Examples:
  anabranch export rooms.anb
  anabranch export - | ssh elsewhere anabranch import -

Exit codes: 0 done, 1 failed, or something is damaged and is not in the file, 3 there is no store")]
pub struct Export {
    /// The file; - is the standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    place: Place,
}

/// Read a file that `export` wrote, and write what is not here yet
#[derive(Debug, Args)]
#[command(after_help = "\
To import the same file again changes nothing. Every version is proven before it is believed: a file that is cut short or altered
is read up to there, and what came before is kept.

Examples:
  anabranch import rooms.anb --data elsewhere

Exit codes: 0 done, 1 failed, 3 there is no such file")]
pub struct Import {
    /// The file; - is the standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    place: Place,
}

fn is_stream(file: &Path) -> bool {
    file.as_os_str() == "-"
}

pub fn export(export: &Export) -> Result<(), Failure> {
    let store = export.place.open()?;
    let unwritten = |why| Failure::Unwritten { file: export.file.clone(), why };
    let exported = if is_stream(&export.file) {
        let mut output = stdout().lock();
        let exported = export_to(&store, &mut output)?;
        output.flush().map_err(unwritten)?;
        exported
    } else {
        // Beside it, so that it can take its name at once.
        let folder = export.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder).map_err(unwritten)?;
        let exported = export_to(&store, file.as_file_mut())?;
        file.as_file().sync_all().map_err(unwritten)?;
        file.persist(&export.file).map_err(|failed| unwritten(failed.error))?;
        exported
    };
    told(export, exported)
}

fn export_to(store: &Database, to: &mut dyn Write) -> Result<Exported, Failure> {
    let progress = match store {
        Database::Own(_) => Progress::of_versions("exporting", store.stats().ok().map(|stats| stats.total_versions)),
        Database::Node(_) => Progress::of_bytes("exporting", None),
    };
    store.export(to, &mut |done| progress.is_at(done))
}

fn told(export: &Export, exported: Exported) -> Result<(), Failure> {
    let Exported { keys, versions, bytes, damaged, damages } = exported;
    let file = export.file.display().to_string();
    let words = format!(
        "exported {} of {} to {file}, {}",
        counted(versions, "version", "versions"),
        counted(keys, "key", "keys"),
        size(bytes)
    );
    if is_stream(&export.file) {
        // The standard output is the file.
        damages.iter().for_each(|damage| tell(in_words(damage, Look::of_errors())));
        tell(words);
    } else {
        let mut shower = Shower::of(&export.place);
        for damage in damages {
            shower.show(&damage, |look| in_words(&damage, look))?;
        }
        let summary = json!({ "file": file, "keys": keys, "versions": versions, "bytes": bytes, "damages": damaged });
        shower.show(&summary, |_| words)?;
        shower.end()?;
    }
    if damaged == 0 { Ok(()) } else { Err(Failure::NotWhole { damages: damaged }) }
}

pub fn import(import: &Import) -> Result<(), Failure> {
    let unread = |why| Failure::Unreadable { file: import.file.clone(), why };
    // Before a store is made for it.
    let (mut source, length): (Box<dyn Read + Send>, _) = if is_stream(&import.file) {
        (Box::new(stdin()), None)
    } else {
        let file = File::open(&import.file).map_err(unread)?;
        let about = file.metadata().map_err(unread)?;
        (Box::new(BufReader::with_capacity(1 << 16, file)), about.is_file().then_some(about.len()))
    };
    let store = import.place.make()?;
    let progress = Progress::of_bytes("importing", length);
    let imported = store.import(&mut *source, &|done| progress.is_at(done))?;
    drop(progress);
    let Imported { new, known } = imported;
    let mut shower = Shower::of(&import.place);
    shower.show(&imported, |_| {
        format!("imported {}; {} here already", counted(new, "version", "versions"), were(known))
    })?;
    shower.end()
}

fn were(known: u64) -> String {
    format!("{} {}", crate::look::count(known), if known == 1 { "was" } else { "were" })
}
