//! A board that talks to a broker. Its command line says where that is, and what happens: `board mqtt://10.0.2.2:1883 house`.
//! The tests in `tests/boards` start it, talk to it, cut its cable and kill its broker.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod alone;
#[cfg(target_os = "none")]
mod board;
#[cfg(target_os = "none")]
mod brokers;
#[cfg(target_os = "none")]
mod echoes;
#[cfg(target_os = "none")]
mod faults;
#[cfg(target_os = "none")]
mod flood;
#[cfg(target_os = "none")]
mod house;

#[cfg(target_os = "none")]
use anabranch::mqtt::Version;

#[cfg(target_os = "none")]
board_mps2::panic_exits!();

#[cfg(target_os = "none")]
#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(spawner: embassy_executor::Spawner) {
    board_mps2::stack::paint();
    let board = board::Board::start(spawner);
    let ended = match board.scenario {
        "house" => house::run(&board).await,
        "echoes" => echoes::run(&board).await,
        "flood" => flood::run(&board).await,
        "no-places" => flood::no_places(&board).await,
        "meets" => faults::meets(&board, Version::V5).await,
        "meets-3.1.1" => faults::meets(&board, Version::V3_1_1).await,
        "overflows" => faults::overflows(&board).await,
        "long-topics" => faults::long_topics(&board).await,
        "refusals" => faults::refusals(&board).await,
        "alone" => alone::run(&board).await,
        "lags" => alone::lags(&board).await,
        "taps" => alone::taps(&board).await,
        "brokers" => brokers::run(&board).await,
        other => board::fault(format_args!("there is no scenario `{other}`")),
    };
    board_mps2::println!("{}", if ended { "the end" } else { "FAILED" });
    board_mps2::exit(u8::from(!ended))
}

#[cfg(not(target_os = "none"))]
fn main() {
    println!("this is firmware: add `--profile firmware --target thumbv7m-none-eabi`");
}
