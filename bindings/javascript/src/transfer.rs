//! Files that go out and come in by pieces, each under a number that its client has given it.

use crate::{
    code::Failure,
    wire::{Answer, Arguments},
};
use anabranch::store::{Exporting, Imported, Importing, Store};
use std::collections::BTreeMap;

/// How large a piece is that goes out.
const PIECE: usize = 256 << 10;
const GONE: &str = "the tab that had the database has gone in the midst of it";

/// Exports and imports that go on.
#[derive(Default)]
pub struct Transfers(BTreeMap<(u32, u64), Transfer>);

enum Transfer {
    Out(Exporting),
    In(Importing),
}

impl Transfers {
    /// A client has gone.
    pub fn forget(&mut self, client: u32) {
        self.0.retain(|(its, _), _| *its != client);
    }

    /// What `name` asks for, of the transfer of a number: `export` begins one, `piece` is its next piece, of which no bytes are
    /// the end; `import` begins one, `feed` takes a piece, `imported` is its end; and `leave` ends either before its end.
    #[inline(never)]
    pub fn answer<'a>(
        &mut self,
        store: &Store,
        name: &str,
        client: u32,
        call: &mut Arguments<'_>,
        answer: &'a mut Answer,
    ) -> Result<&'a mut Answer, Failure> {
        let number = (client, call.number("which")?);
        let entry = self.0.get_mut(&number);
        match (name, entry) {
            ("export", _) => {
                self.0.insert(number, Transfer::Out(store.exporting()?));
                Ok(answer.null())
            }
            ("import", _) => {
                self.0.insert(number, Transfer::In(store.importing()));
                Ok(answer.null())
            }
            ("piece", Some(Transfer::Out(export))) => {
                let piece = export.next_piece(PIECE)?;
                answer.bytes(piece);
                if piece.is_empty() {
                    self.0.remove(&number);
                }
                Ok(answer)
            }
            ("feed", Some(Transfer::In(import))) => {
                let fed = import.feed(call.bytes("the file")?);
                if fed.is_err() {
                    self.0.remove(&number);
                }
                fed?;
                Ok(answer.null())
            }
            ("imported" | "leave", Some(_)) => match self.0.remove(&number) {
                Some(Transfer::In(import)) if name == "imported" => {
                    let Imported { new, known } = import.end()?;
                    Ok(answer.map(2).text("new").number(new).text("known").number(known))
                }
                // What it says is what it is told.
                Some(Transfer::In(import)) => Ok(answer.flag(import.give_up(String::new()).is_ok())),
                _ => Ok(answer.null()),
            },
            ("leave", None) => Ok(answer.null()),
            // Another engine has begun it.
            ("piece", _) => Err(Failure::new("EXPORT_FAILED", format_args!("{GONE}; export it again"))),
            _ => Err(Failure::new("INVALID_IMPORT", format_args!("{GONE}; import the file again"))),
        }
    }
}
