//! The program: a thermometer that shows 27 °C, and what that feels like.

use anabranch::{StartError, embassy::EmbassyAdapter, prelude::*};
use board_mps2::{exit, println};
use core::{convert::Infallible, fmt};
use embassy_executor::Spawner;
use static_cell::StaticCell;

static CELSIUS: Record<i32, Ring<64>> = Record::new("celsius");
static COMFORT: Record<Comfort, Latest> = Record::new("comfort");

/// What it feels like.
#[derive(Clone, Copy, PartialEq)]
enum Comfort {
    Fine(i32),
    TooWarm(i32),
}

impl fmt::Display for Comfort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Comfort::Fine(celsius) => write!(f, "{celsius} °C: fine"),
            Comfort::TooWarm(celsius) => write!(f, "{celsius} °C: too warm"),
        }
    }
}

/// Written once, for every runtime.
#[service]
async fn judge<R: Runtime>(
    _: RuntimeContext<R>,
    mut celsius: Consumer<i32>,
    comfort: Producer<Comfort>,
) -> Result<(), Infallible> {
    while let Some(celsius) = celsius.next().await {
        comfort.produce(if celsius > 25 { Comfort::TooWarm(celsius) } else { Comfort::Fine(celsius) });
    }
    Ok(())
}

static RUNTIME: StaticCell<EmbassyAdapter> = StaticCell::new();

board_mps2::panic_exits!();

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: Spawner) {
    match run(RUNTIME.init(EmbassyAdapter::new(spawner))).await {
        Ok(Some(comfort)) => {
            println!("{comfort}");
            exit(u8::from(comfort != Comfort::TooWarm(27)))
        }
        Ok(None) => exit(1),
        Err(error) => {
            println!("{error}");
            exit(1)
        }
    }
}

async fn run(runtime: &'static EmbassyAdapter) -> Result<Option<Comfort>, StartError> {
    let mut comfort = COMFORT.consumer()?;
    Judge::spawn_static(runtime, CELSIUS.consumer()?, COMFORT.producer()?)?;
    CELSIUS.producer()?.produce(27);
    Ok(comfort.next().await)
}
