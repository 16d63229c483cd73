//! `cargo xtask sizes`: flash and RAM of the firmware, read from the linked ELF and held to bounds.

use std::path::Path;

use object::elf::{SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::read::elf::ElfFile32;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::process::Run;
use crate::table::{Table, grouped};
use crate::workspace::{THUMBV7EM, Workspace};

/// What is measured: a firmware in `folder`.
struct Firmware {
    case: &'static str,
    folder: &'static str,
    /// The bytes of flash, and of RAM, that it may take beyond the case before it.
    bound_beyond_the_one_before: Option<u64>,
}

const FIRMWARE: &[Firmware] = &[
    Firmware { case: "an empty Embassy program", folder: "tests/firmware-empty", bound_beyond_the_one_before: None },
    Firmware {
        case: "records and services",
        folder: "tests/firmware-records",
        bound_beyond_the_one_before: Some(12_000),
    },
];

/// The storage of a static service is a symbol of this name, in the function that spawns it: `#[service]` calls it so.
const TASK_SLOT: &str = "__SLOT";

/// The bytes of a program.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Size {
    /// Code, constants and the initial values of statics.
    flash: u64,
    /// Statics, whether they have an initial value or begin as zero.
    ram: u64,
}

/// One line of the table and one object of the JSON.
#[derive(Debug, PartialEq)]
struct Measured {
    case: String,
    size: Size,
    bound: Option<u64>,
}

pub fn measure(workspace: &Workspace) -> Result<(), Failure> {
    let (measured, mut faults) = measure_all(workspace);
    print!("{}", table(&measured));
    let report = workspace.root.join("target/sizes.json");
    write(&report, &measured)
        .map_err(|error| Failure::new(format!("{}: {error}; make it writable", report.display())))?;
    println!("{}", report.display());
    let big = measured.iter().filter(|measured| !measured.holds());
    faults
        .extend(big.map(|big| format!("`{}` is beyond its bound: `cargo bloat` shows what takes the room", big.case)));
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults.join("\nxtask: "))) }
}

/// The bounded size as a row of a benchmark: the larger of flash and RAM, since each has to hold.
pub fn beyond_an_empty_program(workspace: &Workspace) -> Result<Value, Failure> {
    let (measured, faults) = measure_all(workspace);
    let Some(bounded) = measured.iter().find(|measured| measured.bound.is_some()) else {
        return Err(Failure::new(faults.join("\nxtask: ")));
    };
    let Size { flash, ram } = bounded.size;
    Ok(json!({
        "case": format!("flash ({flash}) and RAM ({ram}) of {}", bounded.case),
        "unit": "bytes", "ours": flash.max(ram), "peers": {}, "ratio": null, "bound": bounded.bound, "holds": bounded.holds(),
    }))
}

/// What can be measured, and why the rest cannot.
fn measure_all(workspace: &Workspace) -> (Vec<Measured>, Vec<String>) {
    let mut measured = Vec::new();
    let mut faults = Vec::new();
    let mut before = None;
    for firmware in FIRMWARE {
        match build(workspace, firmware).and_then(|elf| read(&elf, firmware)) {
            Ok((size, tasks)) => {
                measured.extend(firmware.judged(size, before));
                if firmware.bound_beyond_the_one_before.is_some() && tasks.is_empty() {
                    faults.push(format!(
                        "no static task is seen in {}: see TASK_SLOT in xtask/src/sizes.rs",
                        firmware.folder
                    ));
                }
                measured.extend(tasks);
                before = Some((firmware.case, size));
            }
            Err(failure) => faults.push(failure.to_string()),
        }
    }
    (measured, faults)
}

fn build(workspace: &Workspace, firmware: &Firmware) -> Result<Vec<u8>, Failure> {
    let package = workspace.package_in(firmware.folder)?;
    let program = package.program()?;
    let build = Run::cargo(["build", "--quiet", "--profile", "firmware", "--target", THUMBV7EM, "-p", &package.name]);
    build.through(&workspace.root)?;
    let elf = workspace.built(format!("{THUMBV7EM}/firmware/{program}"));
    std::fs::read(&elf)
        .map_err(|error| Failure::new(format!("{}: {error}; `{build}` should have made it", elf.display())))
}

fn write(report: &Path, measured: &[Measured]) -> std::io::Result<()> {
    let json = Value::Array(measured.iter().map(Measured::to_json).collect());
    std::fs::create_dir_all(report.parent().unwrap_or(report))?;
    std::fs::write(report, format!("{json:#}\n"))
}

/// The size of a linked program, and of each static service in it.
fn read(elf: &[u8], firmware: &Firmware) -> Result<(Size, Vec<Measured>), Failure> {
    let elf = ElfFile32::<object::Endianness>::parse(elf)
        .map_err(|error| Failure::new(format!("{} builds no 32-bit ELF ({error}): see its target", firmware.folder)))?;
    let mut size = Size::default();
    for section in elf.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if sh_flags.contains(SHF_ALLOC) {
            let has_bytes = section.elf_section_header().sh_type.get(elf.endian()) != SHT_NOBITS;
            size += Size::of_section(section.size(), has_bytes, sh_flags.contains(SHF_WRITE));
        }
    }
    let statics = elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0);
    let mut tasks: Vec<Measured> = statics
        .filter_map(|symbol| {
            let size = Size { flash: 0, ram: symbol.size() };
            Some(Measured { case: task(symbol.name().ok()?)?, size, bound: None })
        })
        .collect();
    tasks.sort_by(|a, b| a.case.cmp(&b.case));
    Ok((size, tasks))
}

/// `app::_::<impl app::Smooth>::spawn_static::__SLOT` is the storage of `app::Smooth`.
fn task(symbol: &str) -> Option<String> {
    let path = format!("{:#}", rustc_demangle::demangle(symbol));
    let (owner, slot) = path.rsplit_once("::")?;
    if !slot.starts_with(TASK_SLOT) {
        return None;
    }
    let service = match owner.split_once("<impl ") {
        Some((_, implemented)) => implemented.split('>').next()?,
        None => owner,
    };
    Some(format!("  the task of {service}"))
}

fn table(measured: &[Measured]) -> Table {
    let mut table = Table::new([THUMBV7EM, "flash", "ram", "bound", "holds"]);
    for measured in measured {
        let bound = measured.bound.map_or_else(|| "·".to_owned(), grouped);
        let holds = if measured.holds() { "yes" } else { "NO" };
        table.row([
            measured.case.clone(),
            grouped(measured.size.flash),
            grouped(measured.size.ram),
            bound,
            holds.to_owned(),
        ]);
    }
    table
}

impl Firmware {
    /// Its size, and where it has a bound, what it takes beyond the firmware before it.
    fn judged(&self, size: Size, before: Option<(&str, Size)>) -> Vec<Measured> {
        let whole = Measured { case: self.case.to_owned(), size, bound: None };
        let beyond = self.bound_beyond_the_one_before.zip(before).map(|(bound, (name, before))| Measured {
            case: format!("{}, beyond {name}", self.case),
            size: size.beyond(before),
            bound: Some(bound),
        });
        std::iter::once(whole).chain(beyond).collect()
    }
}

impl Size {
    fn of_section(bytes: u64, in_flash: bool, in_ram: bool) -> Self {
        Self { flash: if in_flash { bytes } else { 0 }, ram: if in_ram { bytes } else { 0 } }
    }

    fn beyond(self, before: Self) -> Self {
        Self { flash: self.flash.saturating_sub(before.flash), ram: self.ram.saturating_sub(before.ram) }
    }
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.flash += other.flash;
        self.ram += other.ram;
    }
}

impl Measured {
    /// Flash and RAM are two memories; each has to stay within the bound.
    fn holds(&self) -> bool {
        self.bound.is_none_or(|bound| self.size.flash <= bound && self.size.ram <= bound)
    }

    fn to_json(&self) -> Value {
        json!({
            "target": THUMBV7EM, "case": self.case.trim(), "flash": self.size.flash, "ram": self.size.ram,
            "bytes": null, "gzip": null, "bound": self.bound, "holds": self.holds(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_values_take_flash_and_ram_and_zeroes_take_ram_alone() {
        let mut size = Size::default();
        let text_data_bss = [(100, true, false), (10, true, true), (1_000, false, true)];
        for (bytes, in_flash, in_ram) in text_data_bss {
            size += Size::of_section(bytes, in_flash, in_ram);
        }
        assert_eq!(size, Size { flash: 110, ram: 1_010 });
    }

    #[test]
    fn a_bound_holds_for_flash_and_for_ram() {
        let measured = |flash, ram| Measured { case: "x".to_owned(), size: Size { flash, ram }, bound: Some(100) };
        assert!(measured(100, 100).holds());
        assert!(!measured(101, 0).holds() && !measured(0, 101).holds());
        assert_eq!(measured(101, 0).to_json()["holds"], false);
    }

    #[test]
    fn a_bounded_firmware_is_judged_by_what_it_adds() {
        let firmware = Firmware { case: "records", folder: "f", bound_beyond_the_one_before: Some(100) };
        let [whole, beyond] = firmware
            .judged(Size { flash: 1_100, ram: 90 }, Some(("nothing", Size { flash: 1_000, ram: 80 })))
            .try_into()
            .unwrap();
        assert_eq!((whole.size.flash, whole.bound), (1_100, None));
        assert_eq!((beyond.size, beyond.bound), (Size { flash: 100, ram: 10 }, Some(100)));
    }

    #[test]
    fn a_task_is_named_for_the_service_it_belongs_to() {
        let symbol = "_ZN16firmware_records8firmware1_53_$LT$impl$u20$firmware_records..firmware..Cooling$GT$12spawn_static6__SLOT17heabcbe7ecc2e88f5E";
        assert_eq!(task(symbol).unwrap(), "  the task of firmware_records::firmware::Cooling");
        assert_eq!(task("_ZN8services4POOL17h0123456789abcdefE"), None);
    }
}
