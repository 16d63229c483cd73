//! Files that go out and come in by pieces, each under a number that its client has given it.

use crate::{
    code::Failure,
    wire::{Answer, Arguments},
};
use anabranch::store::{Exporting, Imported, Importing, Store};

/// How large a piece is that goes out.
const PIECE: usize = 256 << 10;
const GONE: &str = "the tab that had the database has gone in the midst of it";

/// Exports and imports that go on, by their client's number and the one that it has given: there are few at a time.
#[derive(Default)]
pub struct Transfers(Vec<((u32, u64), Transfer)>);

enum Transfer {
    Out(Exporting),
    In(Importing),
}

impl Transfers {
    /// A client has gone.
    pub fn forget(&mut self, client: u32) {
        self.0.retain(|((its, _), _)| *its != client);
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
        let place = self.0.iter().position(|(its, _)| *its == number);
        let begun = match name {
            "export" => Some(Transfer::Out(store.exporting()?)),
            "import" => Some(Transfer::In(store.importing())),
            _ => None,
        };
        if let Some(begun) = begun {
            // One of the same number ends.
            self.take(place);
            self.0.push((number, begun));
            return Ok(answer.null());
        }
        let entry = place.and_then(|place| self.0.get_mut(place)).map(|(_, transfer)| transfer);
        match (name, entry) {
            ("piece", Some(Transfer::Out(export))) => {
                let piece = export.next_piece(PIECE)?;
                answer.bytes(piece);
                if piece.is_empty() {
                    self.take(place);
                }
                Ok(answer)
            }
            ("feed", Some(Transfer::In(import))) => {
                let fed = import.feed(call.bytes("the file")?);
                if fed.is_err() {
                    self.take(place);
                }
                fed?;
                Ok(answer.null())
            }
            ("imported" | "leave", Some(_)) => match self.take(place) {
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

    fn take(&mut self, place: Option<usize>) -> Option<Transfer> {
        place.map(|place| self.0.swap_remove(place).1)
    }
}
