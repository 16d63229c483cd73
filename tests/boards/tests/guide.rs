//! The guide's page on boards, as its reader goes through it: the project that it makes of an empty folder is built, and what
//! it says is what happens.

use anabranch_brokers::{Mosquitto, Observer, Process, QoS, Setup};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const PAGE: &str = include_str!("../../../docs/guide/boards.md");

/// The text of the file that the page calls `name`.
fn file(name: &str) -> &'static str {
    let (_, after) = PAGE.split_once(&format!("`{name}`")).expect("the page names the file");
    let (_, block) = after.split_once("```").expect("and then shows it");
    let (_, text) = block.split_once('\n').expect("a block has lines");
    text.split_once("\n```").expect("a block ends").0
}

/// Builds the page's project in `folder`, for a broker at `port`; gives the program.
fn build(folder: &Path, port: u16) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there");
    for name in ["Cargo.toml", ".cargo/config.toml", "src/main.rs"] {
        let text = file(name).replace("../anabranch", &root.display().to_string());
        let place = folder.join(name);
        fs::create_dir_all(place.parent().expect("it lies in the folder")).expect("folders can be made");
        fs::write(place, text.replace("10.0.2.2:1883", &format!("10.0.2.2:{port}"))).expect("files can be written");
    }
    // The versions that the repository has been tested with.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file is there");
    // Where this test's own program lies: `target/debug/deps`. What was built for it before is not built again.
    let program = env::current_exe().expect("a test has a program");
    let target = program.ancestors().nth(3).expect("it lies in the target directory").join("guide");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", &target).args(["build", "--quiet", "--release"]);
    assert!(cargo.status().is_ok_and(|status| status.success()), "the page's project builds");
    target.join("thumbv7m-none-eabi/release/thermometer")
}

#[test]
#[ignore = "it needs QEMU and the target thumbv7m-none-eabi; add `-- --ignored` where they are"]
fn the_guide_s_board_sends_its_temperature_and_is_warm_when_its_heater_is_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let test = async {
        let broker = Mosquitto::start(Setup::default()).await;
        let folder = tempfile::tempdir().expect("a folder can be made");
        let program = build(folder.path(), broker.port());
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("board/#", QoS::AtLeastOnce).await.expect("the broker is there");
        // As the page's runner has it.
        let runner = file(".cargo/config.toml").lines().find_map(|line| line.strip_prefix("runner = ")).expect("one");
        let mut words = runner.trim_matches('"').split(' ');
        let mut qemu = Command::new(words.next().expect("a program"));
        qemu.args(words).arg(program);
        let mut board = Process::spawn(qemu).expect("QEMU runs");
        assert_eq!(observer.text().await, ("board/temperature".into(), r#"{"millicelsius":18950}"#.into()));
        observer
            .publish_retained("board/heater", QoS::AtLeastOnce, r#"{"on":true}"#)
            .await
            .expect("the broker is there");
        assert!(board.ended().await.success(), "{:?}", board.log());
        assert!(board.log().iter().any(|line| line.ends_with("readings acknowledged")), "{:?}", board.log());
    };
    let ended = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(600), test).await });
    ended.expect("building takes minutes at most, and what follows seconds");
}
