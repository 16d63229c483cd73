//! Flash and RAM of a linked program, and the storage of each static service in it.

use object::elf::{SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::read::elf::ElfFile32;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind};

use super::Size;

/// The storage of a static service is a symbol of this name, in the function that spawns it: `#[service]` calls it so.
const TASK_SLOT: &str = "__SLOT";

/// What a program takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub size: Size,
    /// Each static service by its path, with the bytes of RAM that its task lies in.
    pub tasks: Vec<(String, u64)>,
    /// Whether an allocator is linked.
    pub has_heap: bool,
}

/// Reads a linked 32-bit ELF; says why it is none.
pub fn read(elf: &[u8]) -> Result<Program, String> {
    let elf = ElfFile32::<object::Endianness>::parse(elf).map_err(|error| error.to_string())?;
    let mut size = Size::default();
    for section in elf.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if sh_flags.contains(SHF_ALLOC) {
            let has_bytes = section.elf_section_header().sh_type.get(elf.endian()) != SHT_NOBITS;
            size += Size::of_section(section.size(), has_bytes, sh_flags.contains(SHF_WRITE));
        }
    }
    let statics = elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0);
    let mut tasks: Vec<(String, u64)> =
        statics.filter_map(|symbol| Some((task(symbol.name().ok()?)?, symbol.size()))).collect();
    tasks.sort();
    let has_heap = elf.symbols().any(|symbol| symbol.name().is_ok_and(allocates));
    Ok(Program { size, tasks, has_heap })
}

/// Whether a symbol is one of those that the compiler gives a program with a `#[global_allocator]`, or code of `alloc`.
fn allocates(symbol: &str) -> bool {
    let path = format!("{:#}", rustc_demangle::demangle(symbol));
    path.contains("__rust_alloc") || path.contains("__rust_no_alloc_shim") || path.starts_with("alloc::")
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
    Some(service.to_owned())
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
    fn an_allocator_is_known_by_its_symbols() {
        assert!(
            allocates("_RNvCs1a_7___rustc12___rust_alloc")
                && allocates("_ZN5alloc5alloc18handle_alloc_error17h0123456789abcdefE")
        );
        assert!(!allocates("_ZN8services10allocation17h0123456789abcdefE"));
    }

    #[test]
    fn a_task_is_named_for_the_service_it_belongs_to() {
        let symbol = "_ZN16firmware_records8firmware1_53_$LT$impl$u20$firmware_records..firmware..Cooling$GT$12spawn_static6__SLOT17heabcbe7ecc2e88f5E";
        assert_eq!(task(symbol).unwrap(), "firmware_records::firmware::Cooling");
        assert_eq!(task("_ZN8services4POOL17h0123456789abcdefE"), None);
    }
}
