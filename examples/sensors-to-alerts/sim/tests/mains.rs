//! The four programs differ in how they declare their runtime, and in nothing else.

const MAINS: [(&str, &str, &str); 4] = [
    ("TokioAdapter", "\"tokio\"", include_str!("../../tokio/src/main.rs")),
    ("SimAdapter", "\"sim\"", include_str!("../src/main.rs")),
    ("EmbassyAdapter", "\"qemu\"", include_str!("../../embassy/src/firmware.rs")),
    ("WasmAdapter", "\"node\"", include_str!("../../node/src/lib.rs")),
];

#[test]
fn from_the_marked_line_on_they_are_the_same() {
    let [first, others @ ..] = MAINS.map(|(adapter, place, source)| {
        let (_, same) = source.split_once("// The same on each runtime.\n").expect("the line is there");
        assert!(same.contains(adapter) && same.contains(place), "it names its runtime:\n{same}");
        same.replace(adapter, "Adapter").replace(place, "PLACE")
    });
    for other in others {
        assert_eq!(other, first);
    }
}

#[test]
fn each_is_short_enough_to_be_read_beside_the_others() {
    for (adapter, _, source) in MAINS {
        assert!(source.lines().count() <= 40, "the one with {adapter} has {} lines", source.lines().count());
    }
}

#[test]
fn the_readme_shows_them_as_they_are() {
    let readme = include_str!("../../../../README.md");
    let shown = |code: &str| assert!(readme.contains(code.trim()), "README.md shows another main than this:\n{code}");
    for (_, _, source) in MAINS {
        let (its_own, _) = source.split_once("// The same on each runtime.\n").expect("the line is there");
        let (_, code) = its_own.split_once("\n\n").expect("its first line says its idea");
        shown(code);
    }
    shown(MAINS[0].2.split_once("// The same on each runtime.\n").expect("the line is there").1);
}
