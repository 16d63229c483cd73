//! As many as a thousand services in one database.

use crate::{Collect, Collection, Passage, Produce, Relay, Scene, Script, Trouble, Verdict, queue, same};
use anabranch::{Runtime, SpawnDynamically};

/// Of every ten crowds one is of a thousand, the others of a tenth: a thousand takes as long as all other scenarios together.
const MANY: usize = 1_000;

/// Up to a thousand services in chains of any length, of which some panic and fail: in each chain all arrives but what was in
/// the hand of one that fell.
pub async fn thousand_services<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    const VALUES: u64 = 2;
    let chance = &scene.chance;
    let mut db = scene.database();
    let mut chains = Vec::new();
    let services = if chance.one_in(10) { MANY } else { MANY / 10 };
    let mut left = services;
    while left > 0 {
        // a producer, relays, a consumer; none is left alone at the end
        let length = match chance.size(2, 12) {
            length if length + 2 > left => left,
            length => length,
        };
        left -= length;
        let name = |record: usize| format!("{left}/{record}");
        let (passage, end) =
            (Passage { trouble: Trouble::once_in(100, chance), ..Passage::smooth(chance) }, Collection::new(chance));
        for record in 1..length {
            db = db.configure::<u64>(name(record), queue(chance.size(1, 2), 1));
        }
        db = db.with_service(Produce::of(name(1), Script::numbers(0, VALUES, chance)));
        for record in 2..length {
            db = db.with_service(Relay::of(name(record - 1), name(record), passage.clone()));
        }
        db = db.with_service(Collect::of(name(length - 1), end.clone()));
        chains.push((passage.lost, end.tally));
    }
    let db = db.build().await?;
    same("services", db.services().len(), services)?;
    db.run().await?;
    for (lost, seen) in chains {
        let lost = lost.values();
        same("what arrived", seen.values(), (0..VALUES).filter(|value| !lost.contains(value)).collect())?;
    }
    Ok(())
}
